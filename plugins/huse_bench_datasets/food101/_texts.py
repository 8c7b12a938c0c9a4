"""The texts of a copy, joined to its pictures, with a list of all that does not fit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import overload

from huse_bench import errors
from huse_bench_datasets._own_data.formats import other_encoding
from huse_bench_datasets._own_data.words import composed
from huse_bench_datasets.food101._folder import Folder, entries, listed
from huse_bench_datasets.food101._pictures import SPLITS, Picture
from huse_bench_datasets.food101._taxonomy import classes

__all__ = ["read_texts"]

_NO_TEXT = "pictures without a text, kept with an empty one"
_BLANK = "pictures with a blank text, kept with an empty one"
_TITLES = (
    "the texts are page titles, so their results are not comparable with those on whole pages, such as the paper's"
)
_NO_PICTURE = "texts without a picture, left out"


class _Dirt(defaultdict[str, list[str]]):
    """Where something does not fit, by what is wrong there."""

    def __init__(self) -> None:
        super().__init__(list)

    def notices(self) -> list[str]:
        return [f"{wrong}: {len(places)}, namely {listed(places)}" for wrong, places in self.items() if places]


def read_texts(folder: Folder, pictures: Sequence[Picture]) -> tuple[Sequence[str], Sequence[str]]:
    """Read the text of each picture.

    Args:
        folder: the copy.
        pictures: those of the copy.

    Returns:
        A text for each picture, empty where it has none, and what the user should know about them. Whole pages
        are read again whenever one is asked for: all of them at once would fill gigabytes of memory.

    Raises:
        DataError: if a file cannot be read, or no picture has a text.
    """
    dirt = _Dirt()
    texts = _pages(folder, pictures, dirt) if folder.texts == "pages" else _titles(folder, pictures, dirt)
    if len(dirt[_NO_TEXT]) + len(dirt[_BLANK]) == len(pictures):
        raise errors.DataError(
            f"none of the {len(pictures)} pictures in {folder.root} has a text, so there is nothing to compare them "
            f"with. {'. '.join(dirt.notices())}"
        )
    return texts, [_TITLES, *dirt.notices()] if folder.texts == "titles" else dirt.notices()


def _titles(folder: Folder, pictures: Sequence[Picture], dirt: _Dirt) -> Sequence[str]:
    titles: dict[tuple[str, str, str], str] = {}
    for split in SPLITS:
        _read_table(folder.root / "texts" / f"{split}_titles.csv", split, titles, dirt)
    places = [(picture.split, picture.class_name, picture.name) for picture in pictures]
    present = {picture.class_name for picture in pictures}
    dirt[_NO_PICTURE] = sorted(name for _, of, name in titles.keys() - set(places) if of in present)
    for place in places:
        if not titles.get(place):
            dirt[_BLANK if place in titles else _NO_TEXT].append(place[2])
    return [titles.get(place, "") for place in places]


def _read_table(path: Path, split: str, titles: dict[tuple[str, str, str], str], dirt: _Dirt) -> None:
    content = _content(path)
    if problem := other_encoding(content[:4096]):
        raise errors.DataError(f"{path} {problem}: save it as UTF-8")
    known = set(classes())
    # By lines, not by a CSV reader: some titles open a quote that is never closed, which swallows the rows after it.
    for number, raw in enumerate(content.split(b"\n"), 1):
        where = f"{path.name} line {number}"
        line = _decoded(raw, where, dirt).strip()
        file, _, rest = line.partition(",")
        title, comma, class_name = rest.rpartition(",")
        # Some rows name the text, with the ending .txt, instead of the picture.
        place = (split, class_name.strip(), composed(Path(file.strip()).stem))
        if not line:
            continue
        if not comma:
            dirt["rows that are not 'picture,title,class', left out"].append(where)
        elif place[1] not in known:
            dirt["rows of no class of Food-101, left out"].append(f"{where} ({place[1]})")
        elif place in titles:
            dirt["rows of a picture that has one already, left out"].append(f"{where} ({place[2]})")
        else:
            titles[place] = _unquoted(title.strip())


def _unquoted(title: str) -> str:
    if len(title) > 1 and title.startswith('"') and title.endswith('"'):
        return title[1:-1].replace('""', '"').strip()
    return title


def _pages(folder: Folder, pictures: Sequence[Picture], dirt: _Dirt) -> Sequence[str]:
    present = {picture.class_name for picture in pictures}
    files = {
        (of.name, composed(Path(entry.name).stem)): Path(entry.path)
        for of in entries(folder.root / "texts_txt", folder.root)
        if of.name in present and of.is_dir()
        for entry in entries(Path(of.path), folder.root)
    }
    places = [(picture.class_name, picture.name) for picture in pictures]
    dirt[_NO_PICTURE] = sorted(name for _, name in files.keys() - set(places))
    for place in places:
        path = files.get(place)
        if path is None:
            dirt[_NO_TEXT].append(place[1])
        elif not _decoded(_content(path), path.name, dirt).strip():
            dirt[_BLANK].append(place[1])
    return _Pages([files.get(place) for place in places])


class _Pages(Sequence[str]):
    """The pages in these files, empty where there is none."""

    def __init__(self, paths: Sequence[Path | None]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return _Pages(self._paths[index])
        path = self._paths[index]
        return "" if path is None else _decoded(_content(path), path.name, _Dirt()).strip()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise errors.DataError(f"cannot read {path}: {error.strerror}") from error


def _decoded(content: bytes, where: str, dirt: _Dirt) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        dirt["texts that are not in UTF-8, read with \N{REPLACEMENT CHARACTER} for what is unreadable"].append(where)
        return content.decode("utf-8", errors="replace")
