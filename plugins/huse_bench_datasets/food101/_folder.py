"""The user's folder: where in it the data is, which of the two layouts it has, and nothing read from outside it."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huse_bench import errors

__all__ = ["Folder", "entries", "find", "listed"]

_EXPECTED = (
    "UPMC Food-101 has the folders images/train/<class>/ and images/test/<class>/, and beside images either "
    "texts_txt/<class>/<picture>.txt (as first distributed) or texts/train_titles.csv and texts/test_titles.csv "
    "(the mirror on Kaggle)"
)


@dataclass(frozen=True)
class Folder:
    """A copy of the data set.

    Attributes:
        root: holds ``images`` and the texts.
        texts: whether the texts are whole ``"pages"``, a file each, or their ``"titles"`` in two tables.
    """

    root: Path
    texts: Literal["pages", "titles"]


def find(data: Path | None) -> Folder:
    """Find a copy of the data set in a folder or one level below it.

    Args:
        data: what the user named.

    Raises:
        DataError: if there is none, or more than one, or it is incomplete or not unpacked.
    """
    if data is None:
        raise errors.DataError(
            f"the dataset 'food101' reads your copy of UPMC Food-101: name its folder (on the command line: --data). "
            f"{_EXPECTED}"
        )
    if not data.exists():
        raise errors.DataError(f"there is nothing at {data}: name the folder of your copy of UPMC Food-101")
    if not data.is_dir():
        cure = "Unpack it and name the folder" if _is_archive(data) else "Name the folder of your copy of UPMC Food-101"
        raise errors.DataError(f"{data} is a file, and the dataset 'food101' reads a folder. {cure}")
    data = data.resolve()
    below = [data / name.rstrip("/") for name in _names(data) if name.endswith("/")]
    roots = [folder for folder in (data, *below) if (folder / "images").is_dir()]
    if not roots:
        raise errors.DataError(f"{data} has no folder images, nor has a folder in it. {_expected_in(data)}")
    if roots[0] != data and len(roots) > 1:
        names = listed([folder.name for folder in roots])
        raise errors.DataError(f"{data} has more than one folder with images in it ({names}): name the one you want")
    return Folder(roots[0], _texts(roots[0]))


def entries(folder: Path, root: Path) -> Sequence[os.DirEntry[str]]:
    """What is in a folder, by name, without hidden files.

    Args:
        folder: to look into.
        root: links may not lead out of it.

    Raises:
        DataError: if the folder cannot be read, or it is or holds a link that leads out of ``root``.
    """
    _check_inside([folder], root)
    try:
        with os.scandir(folder) as found:
            inside = sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise errors.DataError(f"cannot read {folder}: {error.strerror}") from error
    # Only links are resolved: resolving each of 90,000 files would take longer than all else.
    _check_inside([Path(entry.path) for entry in inside if entry.is_symlink()], root)
    return inside


def listed(names: Sequence[str], limit: int = 20) -> str:
    """The first names, and how many there are besides."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _texts(root: Path) -> Literal["pages", "titles"]:
    images = root / "images"
    missing = [name for name in ("train", "test") if not (images / name).is_dir()]
    if missing:
        eth = (root / "meta" / "classes.txt").exists()
        hint = "It looks like ETH Food-101, another data set, which has no texts. " if eth else ""
        without = " and no folder ".join(missing)
        raise errors.DataError(f"{images} has no folder {without}. {hint}{_expected_in(images)}")
    tables = [root / "texts" / f"{split}_titles.csv" for split in ("train", "test")]
    there = [path for path in tables if path.is_file()]
    pages = root / "texts_txt"
    _check_inside([images, *there, pages], root)
    if pages.is_dir() and there:
        raise errors.DataError(
            f"{root} has both texts_txt and {there[0].name}, whole pages and their titles, which give different "
            "results: move one of the two out of the folder"
        )
    if pages.is_dir():
        return "pages"
    if len(there) < len(tables):
        absent = " nor ".join(f"texts/{path.name}" for path in tables if path not in there)
        raise errors.DataError(
            f"{root} has pictures but not all texts: there is neither texts_txt nor {absent}. {_expected_in(root)}"
        )
    return "titles"


def _check_inside(paths: Sequence[Path], root: Path) -> None:
    outside = [str(path) for path in paths if not path.resolve().is_relative_to(root)]
    if outside:
        raise errors.DataError(
            f"links that lead out of {root} are not followed: {listed(outside)}. "
            "Put the files themselves there, or name the folder that they are in"
        )


def _expected_in(folder: Path) -> str:
    names = _names(folder)
    packed = [name for name in names if not name.endswith("/") and _is_archive(folder / name)]
    cure = f" Unpack {listed(packed, 3)} first" if packed else ""
    return f"{_EXPECTED}. In {folder.name} there is: {listed(names, 10) or 'nothing'}.{cure}"


def _names(folder: Path) -> Sequence[str]:
    """Names in a folder, those of folders with a slash; neither hidden ones nor links, which may lead elsewhere."""
    try:
        with os.scandir(folder) as found:
            return sorted(
                entry.name + "/" * entry.is_dir()
                for entry in found
                if not entry.name.startswith(".") and not entry.is_symlink()
            )
    except OSError as error:
        raise errors.DataError(f"cannot read {folder}: {error.strerror}") from error


def _is_archive(path: Path) -> bool:
    return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)
