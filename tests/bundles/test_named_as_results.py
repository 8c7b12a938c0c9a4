"""A bundle where a results folder is asked for stands for the results folders in it."""

import tempfile
from pathlib import Path

import pytest

from huse_bench.bundles.publishing import publish
from huse_bench.cli import main


@pytest.fixture
def bundles(folder, tmp_path, monkeypatch):
    """One bundle as a folder and as an archive, in the current folder."""
    monkeypatch.chdir(tmp_path)
    publish([folder], tmp_path / "one")
    publish([folder], tmp_path / "one.zip")
    return folder


def said(capsys, *arguments):
    """What a command printed, to be compared with what another printed."""
    capsys.readouterr()
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


@pytest.mark.usefixtures("bundles")
@pytest.mark.parametrize("named", ["one", "one.zip"])
def test_tables_and_comparisons_are_those_of_the_folder(named, capsys):
    assert said(capsys, "tables", named) == said(capsys, "tables", "emoji")
    assert said(capsys, "tables", "--results", named) == said(capsys, "tables", "emoji")
    assert said(capsys, "compare", "huse", "cme", "--results", named) == said(
        capsys, "compare", "huse", "cme", "--results", "emoji"
    )


def test_a_bundle_of_several_data_sets_has_a_summary(bundles, tmp_path, write_run, capsys):
    for name in ("huse", "cme"):
        for seed in (0, 1):
            write_run(tmp_path / "icons", name, seed, dataset="icons")
    publish([bundles, tmp_path / "icons"], tmp_path / "both.zip")
    assert said(capsys, "tables", "both.zip") == said(capsys, "tables", "emoji", "icons")
    assert main(["compare", "huse", "cme", "--results", "both.zip"]) == 2
    assert "both.zip is a bundle of 2 results folders; unpack it, and name one" in capsys.readouterr().err


@pytest.mark.usefixtures("bundles")
def test_what_was_unpacked_goes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    Path(tempfile.gettempdir()).mkdir()
    said(capsys, "tables", "one.zip")
    assert not list((tmp_path / "temporary").glob("huse-bench-*"))


@pytest.mark.usefixtures("bundles")
def test_a_bundle_that_was_changed_is_refused(tmp_path, capsys):
    record = next((tmp_path / "one").glob("results/emoji/runs/huse-s0-*.json"))
    record.write_text(record.read_text() + " ")
    assert main(["tables", "one"]) == 2
    assert record.name in capsys.readouterr().err
    assert main(["tables", "none.zip"]) == 2
    assert "there is no bundle none.zip" in capsys.readouterr().err
