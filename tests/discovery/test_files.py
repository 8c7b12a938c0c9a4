"""Plugins that are single files of a folder."""

import hashlib
import os
import subprocess
import sys

import pytest

import huse_bench as hb
from huse_bench import discovery
from huse_bench.errors import PluginLoadError, UsageError
from huse_bench.fingerprint import source_digest

GAP = '''
import huse_bench as hb
from huse_bench_losses.triplet import Triplet

class Gap(hb.Loss):
    """Mean cosine distance of the two views of an item."""
    title = "Gap only"

    def forward(self, batch):
        return {"gap": (1 - (batch.image * batch.text).sum(1)).mean()}
'''
TWO = (
    GAP
    + """
class WideTriplet(Triplet):
    title = "Wide"

class _Helper(hb.Loss):
    pass

class NoPlugin:
    pass
"""
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HUSE_BENCH_PLUGINS_DIR", str(tmp_path))
    monkeypatch.delitem(sys.modules, "huse_bench.dropin", raising=False)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("huse_bench.dropin")]:
        del sys.modules[name]
    monkeypatch.undo()
    discovery.refresh()


def write(folder, **files):
    for stem, text in files.items():
        (folder / f"{stem}.py").write_text(text)
    discovery.refresh()


def test_one_component_has_the_name_of_its_file_and_the_hash_of_it_as_version(folder):
    write(folder, my_gap=GAP)
    found = discovery.find("loss", "my-gap")
    assert (found.distribution, found.target) == ("my-gap-py", "huse_bench.dropin.my_gap:Gap")
    assert found.version == hashlib.sha256(GAP.encode()).hexdigest()[:12]
    assert hb.load("loss", "my-gap").title == "Gap only"
    assert discovery.source_hash(hb.load("loss", "my-gap")) == source_digest(
        {"huse_bench.dropin/my_gap.py": folder / "my_gap.py"}
    )


def test_what_files_begin_with_an_underscore_for_counts_in_those_that_import_them(folder):
    write(folder, my_gap=f"from huse_bench.dropin import _words\n{GAP}", _words="title = 1\n", _others="")
    before = discovery.source_hash(hb.load("loss", "my-gap"))
    (folder / "_others.py").write_text("title = 2\n")
    assert discovery.source_hash(hb.load("loss", "my-gap")) == before
    (folder / "_words.py").write_text("title = 2\n")
    assert discovery.source_hash(hb.load("loss", "my-gap")) != before


def test_several_components_have_the_names_of_their_classes(folder):
    write(folder, two=TWO)
    assert hb.load("loss", "gap").__name__ == "Gap"
    assert hb.load("loss", "wide-triplet").title == "Wide"
    ours = [one.name for one in discovery.components() if one.distribution == "two-py"]
    assert ours == ["gap", "wide-triplet"]


def test_listing_imports_nothing(folder):
    write(folder, loud="raise SystemExit('imported')\n" + GAP)
    assert discovery.find("loss", "loud").status == "available"
    with pytest.raises(PluginLoadError, match=r"loss 'loud' of loud-py==.* cannot be loaded: SystemExit: imported"):
        hb.load("loss", "loud")


def test_files_may_share_a_module_with_an_underscore(folder):
    write(folder, _shared="TITLE = 'Shared'\n", uses="from huse_bench.dropin._shared import TITLE\n" + GAP)
    assert hb.load("loss", "uses").title == "Gap only"
    assert all("shared" not in one.name for one in discovery.inventory())


@pytest.mark.parametrize(
    ("stem", "text", "message"),
    [
        ("broken", "class (", "cannot be read as Python: SyntaxError: .*Mend it, or take it out"),
        ("nothing", "x = 1", "defines no loss, backbone or dataset: derive a class from huse_bench.Loss"),
        ("my-gap", GAP, r"cannot be imported by that name: call it my_gap\.py"),
    ],
)
def test_a_file_that_cannot_be_used_is_listed_and_harms_no_other(folder, stem, text, message):
    write(folder, **{"good": GAP, stem: text})
    (record,) = [one for one in discovery.inventory() if one.status == "broken"]
    assert record.name == stem
    assert __import__("re").search(message, record.error)
    assert hb.load("loss", "good").title == "Gap only"


def test_files_of_the_system_are_no_plugins(folder):
    (folder / "._mine.py").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    write(folder, mine=GAP)
    assert [one for one in discovery.inventory() if one.status == "broken"] == []
    assert hb.load("loss", "mine").title == "Gap only"


def test_a_file_cannot_hide_what_is_built_in(folder):
    write(folder, huse=GAP)
    with pytest.raises(hb.errors.PluginConflictError, match="'huse-bench::huse' or 'huse-py::huse'"):
        hb.load("loss", "huse")
    assert hb.load("loss", "huse-py::huse").title == "Gap only"


def test_a_folder_that_is_not_there(folder, monkeypatch):
    monkeypatch.setenv("HUSE_BENCH_PLUGINS_DIR", str(folder / "none"))
    discovery.refresh()
    with pytest.raises(UsageError, match=r"the plugins folder '.*none' \(--plugins-dir or .*\) is no folder"):
        discovery.components()


def command(*arguments, cwd, **variables):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUSE_BENCH_")}
    return subprocess.run(
        [sys.executable, "-m", "huse_bench", *arguments],
        cwd=cwd, env=environment | variables, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_option_of_the_commands(tmp_path):
    (tmp_path / "plugins").mkdir()
    write(tmp_path / "plugins", my_gap=GAP)
    listed = command("plugins", "list", "--plugins-dir", "plugins", cwd=tmp_path, COLUMNS="200")
    assert "my-gap-py" in listed.stdout, listed.stderr
    refused = command("plugins", "list", "--plugins-dir", "none", cwd=tmp_path)
    assert refused.returncode == 2
    assert "'none' is no folder" in refused.stderr
