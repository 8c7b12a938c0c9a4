"""From the source packages to icons, each with its drawing, its text and what its set sorts it under."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from huse_bench_datasets._shipped.sources import members, npm

__all__ = ["PACKAGES", "SETS", "Icon", "collect"]

#: The packages by the name of their set, in the order of a thing's drawings.
PACKAGES = {
    "tabler": npm("@tabler/icons", "3.52.0", "626620c7d42afd2f294fba167ce4653b5cb946336d186b4991c70b700e5616af"),
    "mdi": npm("@mdi/svg", "7.4.47", "de92e5dc9ce46c392ab5c53aa7190b19f82b40cb48872a083f788c7e13e91fef"),
    "fontawesome": npm(
        "@fortawesome/fontawesome-free", "7.3.1", "ca4e32843bd81711894385c2466fb19c55cfd32ef3c58830b2d1df7bd42e6571"
    ),
    "phosphor": npm(
        "@phosphor-icons/core", "2.1.1", "313332be6190b724da24107addd781799b48bf76b13963f24501112ffe1baadd"
    ),
    "lucide": npm("lucide-static", "1.62.0", "386f9080c440d6f5049cefe3456ae8357f7a0c7f76e59670cd1cb83bc7050a44"),
}

#: The sets, in the order of a thing's drawings.
SETS = tuple(PACKAGES)


@dataclass(frozen=True)
class Icon:
    """One drawing of a set.

    Attributes:
        set: whose it is, one of :data:`SETS`.
        name: as the set has it.
        text: the name and what else the set says about it.
        categories: what the set sorts it under; a set without categories of its own has none.
        picture: an SVG file's content.
    """

    set: str
    name: str
    text: str
    categories: Sequence[str]
    picture: bytes = field(repr=False)


def collect(folder: Path) -> list[Icon]:
    """Read all icons, set by set, in the order of their names.

    Of each set one style is taken: Tabler's and Lucide's lines, Phosphor's regular and Font Awesome's solid one.
    What a set calls deprecated, such as the logos of MDI, is left out.

    Args:
        folder: where the tarballs of the sources are.

    Raises:
        DataError: if a tarball is missing or not the one expected.
    """
    readers = {"tabler": _tabler, "mdi": _mdi, "fontawesome": _fontawesome, "phosphor": _phosphor, "lucide": _lucide}
    return [icon for name in SETS for icon in sorted(readers[name](folder), key=lambda icon: icon.name)]


def _tabler(folder: Path) -> Iterator[Icon]:
    pictures = members(folder, PACKAGES["tabler"], "icons/outline/")
    entries = json.loads(members(folder, PACKAGES["tabler"], "icons.json")[""])
    for name, entry in entries.items():
        if "outline" in entry["styles"]:
            # Numbers among the tags are numbers in the file.
            text = _text(_words(name), *map(str, entry["tags"]))
            yield Icon("tabler", name, text, [entry["category"]], pictures[f"{name}.svg"])


def _mdi(folder: Path) -> Iterator[Icon]:
    pictures = members(folder, PACKAGES["mdi"], "svg/")
    for entry in json.loads(members(folder, PACKAGES["mdi"], "meta.json")[""]):
        if not entry["deprecated"]:
            name = entry["name"]
            # The word says how it is drawn, not what.
            text = _text(*(_words(word).removesuffix(" outline") for word in (name, *entry["aliases"])))
            yield Icon("mdi", name, text, entry["tags"], pictures[f"{name}.svg"])


def _fontawesome(folder: Path) -> Iterator[Icon]:
    # On square canvases; those in svgs are as wide as what is drawn.
    pictures = members(folder, PACKAGES["fontawesome"], "svgs-full/solid/")
    categories = _fontawesome_categories(members(folder, PACKAGES["fontawesome"], "metadata/categories.yml")[""])
    entries = json.loads(members(folder, PACKAGES["fontawesome"], "metadata/icon-families.json")[""])
    for name, entry in entries.items():
        if f"{name}.svg" in pictures:
            text = _text(entry["label"].lower(), *entry["search"]["terms"])
            yield Icon("fontawesome", name, text, categories[name], pictures[f"{name}.svg"])


def _fontawesome_categories(contents: bytes) -> Mapping[str, list[str]]:
    """The categories of each icon, from YAML in which each category is a key, with its icons in a list below it."""
    found: dict[str, list[str]] = defaultdict(list)
    category = ""
    for line in contents.decode().splitlines():
        if match := re.fullmatch(r"(\S+):", line):
            category = match[1]
        elif match := re.fullmatch(r" +- '?(\S+?)'?", line):
            found[match[1]].append(category)
    return found


def _phosphor(folder: Path) -> Iterator[Icon]:
    pictures = members(folder, PACKAGES["phosphor"], "assets/regular/")
    # The package has its data as a program only; of its files the types are the most regular.
    types = members(folder, PACKAGES["phosphor"], "dist/icons.d.ts")[""].decode()
    entry = r'^    readonly name: "([^"]+)";(?:(?!^    readonly name:).)*?^    readonly tags: readonly \[([^\]]*)\]'
    for match in re.finditer(entry, types, re.DOTALL | re.MULTILINE):
        name = match[1]
        # Tags in stars are about the package's releases.
        tags = [tag for tag in re.findall(r'"([^"]*)"', match[2]) if not tag.startswith("*")]
        # Its categories are 18 parts of an application ("system", "objects"), too coarse for kinds of things.
        yield Icon("phosphor", name, _text(_words(name), *tags), [], pictures[f"{name}.svg"])


def _lucide(folder: Path) -> Iterator[Icon]:
    pictures = members(folder, PACKAGES["lucide"], "icons/")
    for name, tags in json.loads(members(folder, PACKAGES["lucide"], "tags.json")[""]).items():
        yield Icon("lucide", name, _text(_words(name), *tags), [], pictures[f"{name}.svg"])


def _words(name: str) -> str:
    return name.replace("-", " ")


def _text(name: str, *tags: str) -> str:
    others = [tag for tag in dict.fromkeys(tags) if tag != name]
    return f"{name}: {', '.join(others)}" if others else name
