"""``huse-bench figures``."""

import pytest

from huse_bench.cli import main


@pytest.fixture
def folder(write_run, tmp_path):
    for seed in (0, 1):
        write_run("huse", seed, 0.5)
    return tmp_path


def test_files_are_written_and_named(folder, tmp_path_factory, capsys):
    output = tmp_path_factory.mktemp("out") / "new" / "figures"
    arguments = ["figures", str(folder), "-o", str(output), "--only", "cost,recall-curves", "--format", "svg, png"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [str(output / "cost.svg"), str(output / "cost.png")]
    assert sorted(path.name for path in output.iterdir()) == ["cost.png", "cost.svg"]
    assert err == (
        "huse-bench: no figure recall-curves: the records have no curves, which runs of schema 1 did not keep\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "png,gif"], "--format takes png, svg, pdf, with commas between; got gif"),
        (["--format", ","], "--format takes png, svg, pdf, with commas between; got none"),
        (["--only", "cots"], "there is no figure 'cots'. Did you mean"),
        (["--only", "tuned"], "give none of these figures; the lines above say what each lacks"),
    ],
)
def test_mistakes_are_named_before_anything_is_written(folder, tmp_path_factory, arguments, words, capsys):
    output = tmp_path_factory.mktemp("out") / "figures"
    assert main(["figures", str(folder), "-o", str(output), *arguments]) == 2
    assert words in capsys.readouterr().err
    assert not output.exists()


def test_a_folder_that_cannot_be_made_is_named(folder, tmp_path_factory, capsys):
    file = tmp_path_factory.mktemp("out") / "file"
    file.write_text("")
    assert main(["figures", str(folder), "-o", str(file / "figures"), "--only", "cost", "--format", "svg"]) == 2
    assert f"cannot write to {file / 'figures'}" in capsys.readouterr().err
