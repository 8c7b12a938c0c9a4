import sys

import pytest

from huse_bench.cli import main
from huse_bench.results import Store

pytest.importorskip("jinja2")


@pytest.fixture
def folder(tmp_path, monkeypatch, make_record):
    monkeypatch.chdir(tmp_path)
    store = Store("results/emoji", dataset="emoji")
    store.write(make_record("huse"))
    return store.folder


def test_the_default_folder_and_file(folder, capsys):
    assert main(["report"]) == 0
    source = (folder.parents[1] / "report.html").read_text(encoding="utf-8")
    assert source.startswith("<!DOCTYPE html>")
    assert capsys.readouterr().out == f"report.html ({len(source.encode()) / 1e6:.1f} MB)\n"


def test_several_folders(folder, make_record):
    other = Store("other", dataset="emoji")
    other.write(make_record("cme"))
    assert main(["report", str(folder), "other", "-o", "both.html"]) == 0
    source = (folder.parents[1] / "both.html").read_text(encoding="utf-8")
    assert 'data-label="HUSE"' in source
    assert 'data-label="CME"' in source


@pytest.mark.parametrize("given", [["results/emoji", "--published"], ["--published=huse", "results/emoji"]])
def test_numbers_of_a_paper(folder, given):
    assert main(["report", *given]) == 0
    source = (folder.parents[1] / "report.html").read_text(encoding="utf-8")
    assert 'data-kind="printed"' in source
    assert "Beside the paper" in source


def test_records_that_cannot_be_read_are_named(folder, capsys):
    (folder / "runs" / "x-s0-1.json").write_text("{", encoding="utf-8")
    assert main(["report"]) == 0
    assert "huse-bench: left out: results" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no results folder nowhere"),
        (["-o", "results"], "results is a folder; name a file in it, such as: -o results"),
        (["-o", "no/such/report.html"], "to write report.html to; make it first"),
        (["empty"], "has no usable run records"),
        (["--published", "results/emoji"], "say --published=huse results/emoji, or put --published behind the folders"),
        (["results/emoji", "--published", "nowhere"], "nowhere"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_mistakes(arguments, message, capsys, tmp_path):
    Store("empty", dataset="emoji")
    assert main(["report", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.html"))


def test_without_jinja_the_error_names_the_extra_before_anything_is_read(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert main(["report", "nowhere"]) == 2
    assert "pip install 'huse-bench[report]'" in capsys.readouterr().err
    assert not (folder.parents[1] / "report.html").exists()


HOOKS = """
import huse_bench

@huse_bench.hookimpl
def huse_bench_modify_table(table, name):
    if name == "table3":
        table["Acme"] = 0.25
    if name == "table2":
        raise RuntimeError("oh no")
"""


def test_a_plugin_may_change_the_tables(distribution, make_record, capsys):
    work = distribution("acme_hooks", HOOKS, "[huse_bench]\nacme = acme_hooks\n")
    Store(work / "results" / "emoji", dataset="emoji").write(make_record("huse"))
    assert main(["report"]) == 0
    assert 'data-name="Acme"' in (work / "report.html").read_text(encoding="utf-8")
    assert "oh no" in capsys.readouterr().err
