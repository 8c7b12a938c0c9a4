"""A new plugin project: what is written, and what is refused."""

import ast
import subprocess
import sys
import tomllib

import pytest

from huse_bench.cli import cli
from huse_bench.errors import UsageError
from huse_bench.scaffold import new_project


@pytest.mark.parametrize("kind", ["loss", "backbone", "dataset", "hooks"])
def test_what_is_written(tmp_path, kind):
    files = new_project(kind, "my-thing", tmp_path)
    assert sorted(path.relative_to(tmp_path / "my-thing").as_posix() for path in files) == [
        ".github/workflows/test.yml", ".gitignore", "README.md", "my_thing.py", "pyproject.toml", "test_my_thing.py",
    ]  # fmt: skip
    assert all(path.read_text() for path in files)
    assert not any("$" in path.read_text().replace("${{", "") for path in files)
    project = tomllib.loads((tmp_path / "my-thing" / "pyproject.toml").read_text())["project"]
    (group,) = project["entry-points"]
    assert group.startswith("huse_bench")
    assert list(project["entry-points"][group]) == ["my-thing"]


@pytest.mark.parametrize("kind", ["loss", "backbone", "dataset", "hooks"])
def test_its_tests_pass_as_generated(tmp_path, kind):
    new_project(kind, "my-thing", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path / "my-thing", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_a_loss_takes_about_twenty_lines(tmp_path):
    new_project("loss", "my-loss", tmp_path)
    source = (tmp_path / "my-loss" / "my_loss.py").read_text()
    (cls,) = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    assert cls.name == "MyLoss"
    assert len([line for line in source.splitlines() if line.strip()]) <= 22


def test_the_command_says_what_comes_next(tmp_path, monkeypatch):
    from click.testing import CliRunner

    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["plugins", "new", "loss", "my-loss"])
    assert result.exit_code == 0, result.output
    assert "wrote my-loss/my_loss.py" in result.output
    assert result.output.endswith("\nNext: cd my-loss && pip install -e '.[test]' && pytest\n")


@pytest.mark.parametrize("name", ["My-Loss", "my_loss", "1st", "my loss", "../x", "", "-a"])
def test_a_name_that_cannot_be_one(tmp_path, name):
    with pytest.raises(UsageError, match="use lower-case words with hyphens between, as my-loss"):
        new_project("loss", name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_word_of_python_is_no_name(tmp_path):
    with pytest.raises(UsageError, match="lambda is a word of Python"):
        new_project("loss", "lambda", tmp_path)


def test_an_existing_folder_is_left_alone(tmp_path):
    (tmp_path / "my-loss").mkdir()
    with pytest.raises(UsageError, match="my-loss exists already: choose another name, or move it away"):
        new_project("loss", "my-loss", tmp_path)
    assert not list((tmp_path / "my-loss").iterdir())


def test_a_folder_to_write_to_must_be_there(tmp_path):
    with pytest.raises(UsageError, match="none does not exist: make it first"):
        new_project("loss", "my-loss", tmp_path / "none")
