"""Find the picture files that a table names."""

from __future__ import annotations

import os
import stat
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from huse_bench import errors
from huse_bench_datasets._own_data.table import Table

__all__ = ["find_pictures"]

# Above so many, missing pictures are listed in a file of their own.
_LISTED = 50


def find_pictures(table: Table, folder: Path) -> list[Path]:
    """The files of the column ``image``.

    Args:
        table: its column ``image`` names files, relative to the folder or absolute.
        folder: which all of them must lie in, links followed.

    Returns:
        The files, in the order of the rows.

    Raises:
        DataError: if a file lies elsewhere or is missing; all missing ones are listed.
    """
    found: list[Path] = []
    outside: list[int] = []
    missing: list[int] = []
    inside = _Inside(folder)
    for row in range(len(table)):
        written = table.written("image", row)
        path = _normal(inside.base, written)
        there = _there(path, inside)
        if there is False and not written.isascii():
            # The file system may have it in another of Unicode's forms than the table.
            forms = [_normal(inside.base, unicodedata.normalize(form, written)) for form in ("NFC", "NFD")]
            path = next((form for form in forms if _there(form, inside)), path)
            there = _there(path, inside)
        if there is None:
            outside.append(row)
        elif not there:
            missing.append(row)
        found.append(Path(path))
    if outside:
        listed = [f"{table.written('image', row)!r} ({table.where([row])})" for row in outside[:5]]
        raise errors.DataError(
            f"{table.path}: {len(outside)} pictures lie outside {inside.base}, such as {', '.join(listed)}. Copy them "
            "into it, or name the folder that holds all of them with the dataset option 'images'"
        )
    if missing:
        raise errors.DataError(_missing_report(table, missing, inside.base))
    return found


def _normal(base: str, word: str) -> str:
    return os.path.normpath(os.path.join(base, word))  # noqa: PTH118  pathlib keeps .. and is slow here


def _there(path: str, inside: _Inside) -> bool | None:
    """Whether a path is a file; None where it lies outside."""
    try:
        mode = os.lstat(path).st_mode if inside(path) else None
        if mode is None or (stat.S_ISLNK(mode) and not inside(os.path.realpath(path))):
            return None
        return stat.S_ISREG(mode) or Path(path).is_file()
    except (OSError, ValueError):
        return False


class _Inside:
    """Whether a path lies in a folder, by its name and with the links on its way followed."""

    def __init__(self, folder: Path) -> None:
        self.base = os.path.abspath(folder)  # noqa: PTH100  as it was named, links not followed
        self._real = os.path.realpath(folder)
        self._parents: dict[str, bool] = {}

    def __call__(self, path: str) -> bool:
        if not (_below(path, self.base) or _below(path, self._real)):
            return False
        # Following links takes a system call for each part of a path; pictures share few folders.
        parent = os.path.dirname(path)  # noqa: PTH120  a path is a string here, for speed
        if parent not in self._parents:
            real = os.path.realpath(parent)
            self._parents[parent] = real == self._real or _below(real, self._real)
        return self._parents[parent]


def _below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def _missing_report(table: Table, missing: Sequence[int], base: str) -> str:
    words = [table.written("image", row) for row in range(len(table))]
    lines = [f"  {table.where([row])}: {words[row]}" for row in missing]
    head = f"{table.path}: {len(missing)} of {len(words)} pictures are no files in {base}"
    if len(missing) <= _LISTED:
        report = f"{head}:\n" + "\n".join(lines)
    else:
        with tempfile.NamedTemporaryFile(
            "w", prefix="huse-bench-missing-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write("\n".join(lines) + "\n")
        report = f"{head}, all listed in {file.name}; the first:\n" + "\n".join(lines[:10])
    return f"{report}\n{_cure([words[row] for row in missing], everything=len(missing) == len(words))}"


def _cure(words: Sequence[str], *, everything: bool) -> str:
    if words[0].startswith(("http://", "https://")):
        return "Addresses are not fetched: download the pictures and name the files"
    if "\\" in words[0] and os.sep == "/":
        return "Write the paths with / in place of \\"
    if everything:
        return "If the pictures are in another folder, name it with the dataset option 'images'"
    return "Correct these paths, add the files, or take the rows out"
