"""The pictures of a copy: which there are, by split and class; none is opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import compress
from pathlib import Path
from typing import Literal

from huse_bench import errors
from huse_bench_datasets._own_data.words import composed
from huse_bench_datasets.food101._folder import Folder, entries, listed
from huse_bench_datasets.food101._taxonomy import classes

__all__ = ["SPLITS", "Picture", "find_pictures"]

#: The splits as they are distributed.
SPLITS: tuple[Literal["train", "test"], ...] = ("train", "test")

_SUFFIXES = {".jpg", ".jpeg", ".png"}

#: Pictures in each split of the whole data set, as its released files have them.
_WHOLE: dict[Literal["train", "test"], int] = {"train": 67_988, "test": 22_716}

#: With all classes and more pictures than this, a copy is taken for the whole data set.
_CLAIMS_WHOLE = 60_000


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        path: its file.
        class_name: the class, which is the folder's name.
        split: as distributed.
    """

    path: Path
    class_name: str
    split: Literal["train", "test"]

    @property
    def name(self) -> str:
        """Its file's name without the ending, which also names its text."""
        return composed(self.path.stem)


def find_pictures(folder: Folder) -> tuple[Sequence[Picture], Sequence[str]]:
    """List the pictures.

    Args:
        folder: the copy.

    Returns:
        The pictures by split, class and name, and what the user should know about them.

    Raises:
        DataError: for a split without pictures, a folder that is no class, or a picture that is there twice.
    """
    pictures: list[Picture] = []
    others: list[str] = []
    for split in SPLITS:
        found, rest = _in_split(folder, split)
        pictures += found
        others += rest
    _check_unique(pictures)
    notices = _compared_with_whole(pictures)
    if others:
        wrong = "files in images that are no picture of a class, left out"
        notices.append(f"{wrong}: {len(others)}, namely {listed(others)}")
    return pictures, notices


def _in_split(folder: Folder, split: Literal["train", "test"]) -> tuple[list[Picture], list[str]]:
    """The pictures of a split, and the other files that are there."""
    pictures: list[Picture] = []
    others: list[str] = []
    strange: list[str] = []
    known = classes()
    place = folder.root / "images" / split
    for inside in entries(place, folder.root):
        if not inside.is_dir():
            others.append(f"{split}/{inside.name}")
            continue
        files = [Path(entry.path) for entry in entries(Path(inside.path), folder.root)]
        if files and inside.name not in known:
            meant = "".join(f", did you mean {name!r}?" for name in get_close_matches(inside.name, known, 1))
            strange.append(f"{inside.name} ({len(files)} files{meant})")
        is_picture = [file.suffix.lower() in _SUFFIXES for file in files]
        pictures += [Picture(file, inside.name, split) for file in compress(files, is_picture)]
        others += [f"{split}/{inside.name}/{file.name}" for file, yes in zip(files, is_picture, strict=True) if not yes]
    if strange:
        raise errors.DataError(
            f"{place} has folders that are no class of Food-101: {listed(strange)}. Rename them or move them away"
        )
    if not pictures:
        raise errors.DataError(f"{place} has no pictures: its folders of classes should hold .jpg files")
    return pictures, others


def _check_unique(pictures: Sequence[Picture]) -> None:
    places = Counter((picture.class_name, picture.name) for picture in pictures)
    twice = [f"{class_name}/{name}" for (class_name, name), count in places.items() if count > 1]
    if twice:
        raise errors.DataError(
            f"pictures that are there more than once, in train and test or with several endings: {len(twice)}, namely "
            f"{listed(twice)}. Keep one file of each, or the test would know what was trained on"
        )


def _compared_with_whole(pictures: Sequence[Picture]) -> list[str]:
    present = {picture.class_name for picture in pictures}
    absent = [name for name in classes() if name not in present]
    if absent:
        fewer = ("there are", sorted(present)) if len(present) < len(absent) else ("absent are", absent)
        return [f"{len(present)} of the 101 classes, and results are about these alone; {fewer[0]} {listed(fewer[1])}"]
    if len(pictures) <= _CLAIMS_WHOLE:
        return [f"a part of the data set: {len(pictures)} pictures of all 101 classes; the whole has 90704"]
    counts = Counter(picture.split for picture in pictures)
    return [
        f"{split} has {counts[split]} pictures and the whole data set {_WHOLE[split]}: "
        f"{abs(counts[split] - _WHOLE[split])} too {'few' if counts[split] < _WHOLE[split] else 'many'}"
        for split in SPLITS
        if counts[split] != _WHOLE[split]
    ]
