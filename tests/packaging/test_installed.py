"""The wheel, installed beside nothing of the working tree, works from its own files."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(folder), str(wheel)], check=True)
    return folder


def _python(site: Path, cwd: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUSE_BENCH_")}
    environment |= {"PYTHONPATH": str(site), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-P", *arguments]
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_installed_files_are_the_ones_imported(site: Path, tmp_path: Path) -> None:
    program = "import huse_bench, huse_bench_losses; print(huse_bench.__file__); print(huse_bench_losses.__file__)"
    core, losses = _python(site, tmp_path, "-c", program).splitlines()
    assert Path(core) == site / "huse_bench" / "__init__.py"
    assert Path(losses) == site / "huse_bench_losses" / "__init__.py"


def test_help(site: Path, tmp_path: Path) -> None:
    shown = _python(site, tmp_path, "-m", "huse_bench", "--help")
    for command in ["run", "tables", "plugins"]:
        assert f"\n  {command} " in shown


def test_console_script_is_installed(site: Path) -> None:
    assert list((site / "bin").glob("huse-bench*")) or list((site / "Scripts").glob("huse-bench*"))


def test_plugins_list_finds_every_declared_component(site: Path, tmp_path: Path, root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shown = _python(site, tmp_path, "-m", "huse_bench", "plugins", "list")
    for group, components in project["entry-points"].items():
        for name in components:
            assert name in shown, f"{name} of {group} is missing from:\n{shown}"


def test_plugins_list_as_json_names_each_declared_component_once(site: Path, tmp_path: Path, root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = json.loads(_python(site, tmp_path, "-m", "huse_bench", "plugins", "list", "--json"))
    targets = [target for components in project["entry-points"].values() for target in components.values()]
    assert sorted(row["target"] for row in listed if row["distribution"] == "huse-bench") == sorted(targets)


def test_published_tables_are_read_from_the_installed_files(site: Path, tmp_path: Path) -> None:
    program = "from huse_bench.results import published as p; print(p.__file__); print(p.published_tables().name)"
    module, name = _python(site, tmp_path, "-c", program).splitlines()
    assert Path(module) == site / "huse_bench" / "results" / "published.py"
    assert name == "huse"
