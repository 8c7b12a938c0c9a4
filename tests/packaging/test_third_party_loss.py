"""A third party's loss: scaffolded, built, installed beside huse-bench into a new environment, and compared."""

import json
import os
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from huse_bench.scaffold import new_project


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment with huse-bench and the loss installed from their wheels."""
    folder = tmp_path_factory.mktemp("third-party")
    new_project("loss", "my-loss", folder)
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder / "dist")]
    subprocess.run([*build, str(folder / "my-loss")], check=True, capture_output=True)
    (plugin,) = (folder / "dist").glob("*.whl")

    venv.create(folder / "venv")
    interpreter = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    # The pip of here installs there.
    pip = [sys.executable, "-m", "pip", "--python", str(interpreter), "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel), str(plugin)], check=True)
    # The packages that both need come from here, so that nothing is downloaded; huse-bench itself is the wheel's.
    where = subprocess.run(
        [interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    Path(where, "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    return interpreter


def test_it_is_compared_with_huse(python: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUSE_BENCH_")}
    environment.pop("PYTHONPATH", None)
    command = [str(python), "-m", "huse_bench", "run", "--methods", "huse,my-loss", "--steps", "3"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    assert sum(row.startswith(("HUSE ", "HUSE¶")) for row in rows) == 3
    assert sum(row.startswith(("My loss ", "My loss¶")) for row in rows) == 3
    assert "Beyond the paper" in done.stdout
    records = [json.loads(path.read_text()) for path in (tmp_path / "results/emoji/runs").glob("*.json")]
    owners = {record["method"]["name"]: record["method"]["distribution"] for record in records}
    assert owners == {"huse": "huse-bench", "my-loss": "my-loss"}
