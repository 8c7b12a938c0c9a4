"""From the source packages to emoji, each with its drawings and their texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huse_bench_datasets._shipped.sources import members
from huse_bench_datasets.emoji._sources import PACKAGES

__all__ = ["SETS", "Drawing", "Emoji", "collect"]

#: The sets, in the order of an emoji's drawings.
SETS = ("noto", "twemoji", "fluent", "openmoji")


@dataclass(frozen=True)
class Drawing:
    """One picture of an emoji with its text.

    Attributes:
        picture: an image file's content.
        text: what another source says about the emoji.
    """

    picture: bytes = field(repr=False)
    text: str


@dataclass(frozen=True)
class Emoji:
    """One emoji, without its skin-tone variants.

    Attributes:
        hexcode: its code points, without variation selectors.
        name: CLDR's short name.
        group: Unicode's group.
        subgroup: Unicode's subgroup.
        drawings: by set, of those that have both a picture and a text.
    """

    hexcode: str
    name: str
    group: str
    subgroup: str
    drawings: Mapping[str, Drawing]


_Source = Callable[[str], tuple[bytes | None, str | None]]


def collect(folder: Path) -> list[Emoji]:
    """Read all emoji but the components (skin tones and hair), in Unicode's order.

    Args:
        folder: where the tarballs of the sources are.

    Returns:
        The emoji; a drawing is missing where its set has no picture or its source no text.

    Raises:
        DataError: if a tarball is missing or not the one expected.
    """
    emojibase = members(folder, PACKAGES["emojibase"], "")
    entries = json.loads(emojibase["en/data.json"])
    names = json.loads(emojibase["meta/groups.json"])
    # Regional indicators have no group: they are letters of flags, not emoji.
    entries = sorted((entry for entry in entries if "group" in entry), key=lambda entry: entry["order"])
    sources: dict[str, _Source] = {
        "noto": _noto(folder),
        "twemoji": _twemoji(folder),
        "fluent": _fluent(folder, entries),
        "openmoji": _openmoji(folder),
    }
    emoji = []
    for entry in entries:
        group = names["groups"][str(entry["group"])]
        if group == "component":
            continue
        hexcode = _key(entry["hexcode"])
        found = {name: sources[name](hexcode) for name in SETS}
        emoji.append(
            Emoji(
                hexcode=hexcode,
                name=entry["label"],
                group=group,
                subgroup=names["subgroups"][str(entry["subgroup"])],
                drawings={name: Drawing(picture, text) for name, (picture, text) in found.items() if picture and text},
            )
        )
    return emoji


def _key(hexcode: str) -> str:
    """The sources disagree on where variation selectors are written, so none is kept."""
    return "-".join(point for point in hexcode.upper().split("-") if point != "FE0F")


def _by_key(entries: Sequence[Mapping[str, Any]], name: str) -> dict[str, Mapping[str, Any]]:
    return {_key(entry[name]): entry for entry in entries}


def _datasource(folder: Path, package: str, images: str) -> tuple[dict[str, Mapping[str, Any]], dict[str, bytes]]:
    entries = _by_key(json.loads(members(folder, PACKAGES[package], "emoji.json")[""]), "unified")
    pictures = members(folder, PACKAGES[package], f"img/{images}/64/")
    return entries, {key: pictures[entry["image"]] for key, entry in entries.items()}


def _noto(folder: Path) -> _Source:
    entries, pictures = _datasource(folder, "noto", "google")
    return lambda key: (pictures.get(key), entries[key]["name"].lower() if key in entries else None)


def _twemoji(folder: Path) -> _Source:
    _, pictures = _datasource(folder, "twemoji", "twitter")
    keywords = {
        _key("-".join(f"{ord(point):04X}" for point in characters)): ", ".join(words).replace("_", " ")
        for characters, words in json.loads(members(folder, PACKAGES["emojilib"], "dist/emoji-en-US.json")[""]).items()
    }
    return lambda key: (pictures.get(key), keywords.get(key))


def _fluent(folder: Path, entries: Sequence[Mapping[str, Any]]) -> _Source:
    pictures = {_padded(path): content for path, content in members(folder, PACKAGES["fluent"], "assets/").items()}
    texts = {
        key: _named(entry["label"], ", ".join(entry.get("tags", [])))
        for key, entry in _by_key(entries, "hexcode").items()
    }
    # Fluent has no country flags; the package fills them in with Noto's.
    return lambda key: (None if _is_country_flag(key) else pictures.get(key), texts.get(key))


def _padded(path: str) -> str:
    points = Path(path).stem.split("-")
    return _key("-".join(point.zfill(4) for point in points))


def _is_country_flag(key: str) -> bool:
    return all("1F1E6" <= point <= "1F1FF" for point in key.split("-"))


def _openmoji(folder: Path) -> _Source:
    entries = _by_key(json.loads(members(folder, PACKAGES["openmoji"], "data/openmoji.json")[""]), "hexcode")
    svgs = members(folder, PACKAGES["openmoji"], "color/svg/")
    pictures = {_key(Path(path).stem): content for path, content in svgs.items()}
    # Its other column of tags repeats CLDR's keywords, which are Fluent's text already.
    texts = {key: _named(entry["annotation"], entry["openmoji_tags"]) for key, entry in entries.items()}
    return lambda key: (pictures.get(key), texts.get(key))


def _named(name: str, keywords: str) -> str:
    return f"{name}: {keywords}" if keywords else name
