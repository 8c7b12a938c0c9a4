"""The walks through the tool can be followed: their files saved, their commands given in order, their output seen."""

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PARTS = re.compile(
    r"Save (?:it|this) as `(?P<file>[^`]+)`|^```(?P<kind>\w*)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE
)
#: How many commands each has.
PAGES = {"tutorial": 5, "own-data": 3}


def steps(page):
    """In order: a file with its text, or a command with what the page says that it prints."""
    name = ""
    for part in PARTS.finditer((DOCS / f"{page}.md").read_text(encoding="utf-8")):
        if part["file"]:
            name = part["file"]
        elif part["kind"] == "python" and name:
            yield "file", name, part["text"]
            name = ""
        elif part["kind"] == "console":
            for command in re.split(r"^\$ ", part["text"], flags=re.MULTILINE)[1:]:
                line, _, output = command.partition("\n")
                yield "command", line, output


def without_numbers(text):
    """Words and signs alone: times, last digits, marks and the spaces around them differ from machine to machine."""
    return re.sub(r"[\d.,:+±*\s%-]+", " ", text).strip()


def expected_in(output, printed):
    """The first piece of an output, between lines ``...``, that does not come in its turn; None where all do."""
    rest = without_numbers(printed)
    for piece in filter(None, map(without_numbers, re.split(r"^\.\.\.$", output, flags=re.MULTILINE))):
        _, found, rest = rest.partition(piece)
        if not found:
            return piece
    return None


@pytest.mark.walkthrough
@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_followed(page, tmp_path):
    # As on a machine of one's own: a cache and a results folder that are empty, and commands that are on the path.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "HUSE_BENCH_CACHE": str(tmp_path / "cache"), "PATH": path, "OMP_NUM_THREADS": "1"}
    for kind, what, text in steps(page):
        if kind == "file":
            (tmp_path / what).parent.mkdir(exist_ok=True)
            (tmp_path / what).write_text(text, encoding="utf-8")
            continue
        done = subprocess.run(
            what.split(),
            cwd=tmp_path,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        assert expected_in(text, done.stdout) is None, done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_the_steps_of_a_page_are_found(page):
    kinds = [kind for kind, _, _ in steps(page)]
    assert kinds.count("file") == 1
    assert kinds.count("command") == PAGES[page]
    assert any(pair == ("file", "command") for pair in pairwise(kinds))


def test_what_is_expected_comes_in_its_turn():
    printed = "one 1.5 s\nnoise\ntwo  2\nthree\n"
    assert expected_in("one 9 s\n...\ntwo 7\n...\n", printed) is None
    assert expected_in("two 2\n...\none 1 s\n", printed) == "one s"
    assert expected_in("four\n", printed) == "four"
