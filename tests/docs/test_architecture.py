"""The page on the architecture names the rooms that there are, in the order that is checked, and files that exist."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()


def _layers():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (order,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    return [set(layer.split(" | ")) for layer in order]


def test_the_rooms_of_the_page_are_those_of_the_contract_in_its_order():
    named = re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE)
    for layer in _layers():
        assert set(named[: len(layer)]) == layer
        del named[: len(layer)]
    assert named == []


def test_the_rooms_are_those_on_disk_and_of_the_picture():
    rooms = set.union(*_layers())
    package = ROOT / "huse_bench"
    found = {path.stem for path in package.glob("*.py")} | {path.parent.name for path in package.glob("*/__init__.py")}
    assert found - {"__init__"} == rooms
    picture = (ROOT / "docs" / "figures" / "imports.svg").read_text()
    assert set(re.findall(r'class="node">\s*<title>(\w+)</title>', picture)) == rooms


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:huse_bench|tests|plugins|docs)/[\w./-]+)`", PAGE))))
def test_each_file_that_the_page_names_exists(name):
    assert (ROOT / name).exists()


def test_each_name_that_the_page_looks_for_in_a_file_is_there():
    for names, file in re.findall(r"((?:`\w+`(?:, | and )?)+) in `(huse_bench/[\w./]+\.py)`", PAGE):
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"^(def )?{name}\b", (ROOT / file).read_text(), flags=re.MULTILINE), (name, file)
