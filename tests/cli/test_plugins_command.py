import json
import os
import subprocess
import sys

import pytest

GAP = """
print("noise at import")
import huse_bench


class Gap(huse_bench.Loss):
    title = "Gap only"

    def forward(self, batch):
        return {"gap": (1 - (batch.image * batch.text).sum(1)).mean()}
"""
HOOKS = "import huse_bench\n@huse_bench.hookimpl\ndef huse_bench_configure(config): pass\n"
FIELDS = {"kind", "name", "target", "distribution", "version", "status", "import_ms", "error"}


@pytest.fixture
def distribution(tmp_path):
    """Write a distribution; a stand-in hides what the installed huse-bench provides, and acme has a good loss."""

    def write(name, version, entry_points, **sources):
        info = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(entry_points)
        for module, source in sources.items():
            (tmp_path / f"{module}.py").write_text(source)

    write("huse-bench", "0.0", "")
    write("acme", "1.0", "[huse_bench.losses]\nacme-gap = acme_gap:Gap\n", acme_gap=GAP)
    return write


@pytest.fixture
def plugins(tmp_path):
    """Run ``huse-bench plugins`` in a new process."""

    def run(*arguments, **variables):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HUSE_BENCH_")}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(tmp_path), environment.get("PYTHONPATH")]))
        return subprocess.run(
            [sys.executable, "-m", "huse_bench", "plugins", *arguments],
            env=environment | {"COLUMNS": "100"} | variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def test_list_shows_each_status_and_why(distribution, plugins):
    distribution("bolt", "2.0", "[huse_bench.losses]\nacme-gap = bolt_m:L\nbolt-bad = bolt_m\n")
    distribution("crow", "3.0", "[huse_bench.datasets]\ncrow-data = crow_m:D\n")
    distribution("dove", "4.0", "[huse_bench]\ndove = dove_hooks\n", dove_hooks=HOOKS)
    done = plugins("list", HUSE_BENCH_DISABLE_PLUGINS="crow")
    assert (done.returncode, done.stderr) == (0, "")
    table, *notes = done.stdout.split("\n\n")
    assert [line.split() for line in table.splitlines() if not line.startswith("--")] == [
        ["kind", "name", "distribution", "version", "target", "status"],
        ["dataset", "crow-data", "crow", "3.0", "crow_m:D", "disabled"],
        ["loss", "acme-gap", "acme", "1.0", "acme_gap:Gap", "conflict"],
        ["loss", "acme-gap", "bolt", "2.0", "bolt_m:L", "conflict"],
        ["loss", "bolt-bad", "bolt", "2.0", "bolt_m", "broken"],
        ["hooks", "dove", "dove", "4.0", "dove_hooks", "available"],
    ]
    assert [note.split(":")[0] for note in notes] == ["disabled", "conflict", "conflict", "broken"]
    assert "Ask for 'acme::acme-gap' or 'bolt::acme-gap'" in notes[1]


def test_list_json_has_every_field_and_imports_no_component(distribution, plugins):
    distribution("dove", "4.0", "[huse_bench]\ndove = dove_hooks\n", dove_hooks="print('noise')\n" + HOOKS)
    done = plugins("list", "--json")
    loss, hooks = json.loads(done.stdout)
    assert set(loss) == set(hooks) == FIELDS
    assert (loss["name"], loss["status"], loss["import_ms"]) == ("acme-gap", "available", None)
    assert (hooks["kind"], hooks["name"], hooks["status"]) == ("hooks", "dove", "available")
    assert done.stderr == "noise\n"


@pytest.mark.usefixtures("distribution")
def test_doctor_imports_what_it_finds_and_passes(plugins):
    done = plugins("doctor")
    assert done.returncode == 0, done.stderr
    header, _, row = done.stdout.splitlines()
    assert header.split() == ["kind", "name", "distribution", "version", "target", "ms", "status"]
    *cells, milliseconds, status = row.split()
    assert (cells, status) == (["loss", "acme-gap", "acme", "1.0", "acme_gap:Gap"], "available")
    assert int(milliseconds) >= 0


def test_doctor_exits_with_1_and_a_cure_where_something_is_broken_even_if_strict(distribution, plugins):
    distribution("bolt", "2.0", "[huse_bench.losses]\nbolt-bad = bolt_m:L\n", bolt_m="import no_such_module")
    distribution("dove", "4.0", "[huse_bench]\ndove = dove_hooks\n", dove_hooks="raise SystemExit(3)")
    done = plugins("doctor", "--json", HUSE_BENCH_STRICT_PLUGINS="1")
    assert done.returncode == 1
    found = {record["name"]: record for record in json.loads(done.stdout)}
    assert found["acme-gap"]["status"] == "available"
    assert found["acme-gap"]["import_ms"] > 0
    assert found["bolt-bad"]["status"] == found["dove"]["status"] == "broken"
    assert "Install the missing module 'no_such_module'" in found["bolt-bad"]["error"]
    assert "SystemExit: 3" in found["dove"]["error"]
    assert "noise at import" in done.stderr


def test_long_targets_are_wrapped_to_the_terminal(distribution, plugins):
    target = "a_package_with_a_long_name.and_a_module_with_a_long_name:AndAClassToo"
    distribution("a-long-distribution", "2026.11.22", f"[huse_bench.backbones]\na-long-component-name = {target}\n")
    done = plugins("list")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    start = lines[0].index("target")
    end = lines[0].index("status")
    assert "".join(line[start:end].strip() for line in lines[2:-1]) == target


def test_nothing_installed_says_what_to_do(plugins, tmp_path):
    info = tmp_path / "huse_bench-0.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: huse-bench\nVersion: 0.0\n")
    done = plugins("list")
    assert done.returncode == 0
    assert "pip install -e ." in done.stdout
