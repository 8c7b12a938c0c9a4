"""News fragments that towncrier would skip or misread are caught before a release."""

import re
import tomllib
from pathlib import Path


def test_every_fragment_is_named_by_words_and_a_known_type(root: Path) -> None:
    towncrier = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]
    types = "|".join(kind["directory"] for kind in towncrier["type"])
    name = re.compile(rf"\+[a-z][a-z0-9]*(-[a-z0-9]+)*\.({types})\.md")
    fragments = [path for path in (root / towncrier["directory"]).iterdir() if path.name != "README.md"]
    assert [path.name for path in fragments if not name.fullmatch(path.name)] == []
    assert [path.name for path in fragments if len(path.read_text(encoding="utf-8").splitlines()) != 1] == []


def test_the_changelog_has_the_line_that_releases_are_written_under(root: Path) -> None:
    towncrier = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]
    assert (root / towncrier["filename"]).read_text(encoding="utf-8").count(towncrier["start_string"]) == 1
