"""The page on the command line says what the commands do."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from huse_bench import cli

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")


def commands(group=cli.cli, path=()):
    """Every command that is no group, by its words."""
    context = click.Context(group)
    for name in cli._COMMANDS if group is cli.cli else group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield " ".join([*path, name]), command
            yield from commands(command, (*path, name))
        else:
            yield " ".join([*path, name]), command


def having(option):
    return {name for name, command in commands() if any(option in each.opts for each in command.params)}


def of_table(option):
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{option}`"))
    return set(re.findall(r"`([^`]+)`", row.split(" | ")[1]))


def test_the_page_names_the_commands_with_json():
    assert of_table("--json") == {"run --dry-run" if name == "run" else name for name in having("--json")}


def test_the_page_names_the_commands_that_can_be_quiet():
    assert of_table("--quiet") == having("--quiet") == having("--verbose") == having("-q") == having("-v")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(shell, monkeypatch):
    assert f"_HUSE_BENCH_COMPLETE={shell}_source huse-bench" in PAGE
    monkeypatch.setenv("_HUSE_BENCH_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", "huse-bench tables --format la")
    monkeypatch.setenv("COMP_CWORD", "la" if shell == "fish" else "3")
    done = subprocess.run([sys.executable, "-m", "huse_bench"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "latex" in done.stdout


def test_every_option_of_the_page_is_there():
    known = {option for _, command in commands() for each in command.params for option in each.opts} | {"--help"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)) <= known
