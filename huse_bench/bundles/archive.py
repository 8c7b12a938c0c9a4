"""Files of a bundle that came from anybody: looked at before they are read, and unpacked within limits."""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from huse_bench.errors import BundleError
from huse_bench.untrusted import open_zip

__all__ = ["MOST_BYTES", "MOST_FILES", "digest_of", "listed", "unpack", "zip_bytes"]

#: Files of a bundle: 5,000 runs have 25,000.
MOST_FILES = 100_000

#: Bytes of a bundle, unpacked.
MOST_BYTES = 4 * 2**30

# How much smaller a file may be in the archive. Records shrink to a tenth, the emptiest to a hundredth; what
# shrinks more holds nothing but repetitions.
_MOST_SHRINKING = 200
# So little does no harm, however small it was packed.
_HARMLESS = 2**20

# A date that every archive can say.
_NO_DATE = (1980, 1, 1, 0, 0, 0)

_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_DEEPEST = 4
_CHUNK = 2**20


def listed(folder: Path) -> dict[str, Path]:
    """The files of a folder, none of them a link or elsewhere.

    Args:
        folder: the bundle.

    Returns:
        Files by path within the bundle, sorted.

    Raises:
        BundleError: for a link, what is neither file nor folder, a name that no bundle has, or too much of them.
    """
    files: dict[str, Path] = {}
    total, left = 0, [folder]
    while left:
        try:
            entries = sorted(os.scandir(left.pop()), key=lambda entry: entry.name)
            for entry in entries:
                path = Path(entry.path)
                name = path.relative_to(folder).as_posix()
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISLNK(mode):
                    raise BundleError(
                        f"{folder}: {_shown(name)} is a link, which may lead anywhere; put the file there"
                    )
                if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                    raise BundleError(f"{folder}: {_shown(name)} is neither a file nor a folder; remove it")
                _check_name(name, folder)
                if stat.S_ISDIR(mode):
                    left.append(path)
                    continue
                files[name] = path
                total += entry.stat(follow_symlinks=False).st_size
                _check_amount(len(files), total, folder)
        except OSError as error:
            raise BundleError(f"{folder} cannot be read ({error.strerror or error}); make it readable") from error
    return dict(sorted(files.items()))


def unpack(archive: Path, folder: Path) -> None:
    """Write the files of an archive to a folder, after all of its names and sizes were looked at.

    Args:
        archive: a .zip file.
        folder: an empty folder.

    Raises:
        BundleError: for an archive that is damaged, that would write elsewhere, that holds links, two files of one
            name or what is encrypted, or that would become too large.
    """
    try:
        with open_zip(archive) as packed:
            members = _members(packed, archive)
            for name, member in members.items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                # No more than the size that was looked at: zipfile stops there, and then compares the check sum.
                with packed.open(member) as source, path.open("xb") as target:
                    while chunk := source.read(_CHUNK):
                        target.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeError) as error:
        raise BundleError(f"{archive} is no readable .zip file ({error}); get it again from where it came") from error
    except OSError as error:
        raise BundleError(f"{archive} cannot be unpacked ({error.strerror or error})") from error


def _members(packed: zipfile.ZipFile, archive: Path) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    known: dict[str, str] = {}
    total = 0
    for member in packed.infolist():
        # As it stands in the archive: zipfile has already cut what follows a zero, and turned some backslashes.
        name = member.orig_filename
        _check_name(name.removesuffix("/"), archive)
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise BundleError(f"{archive}: {_shown(name)} is a link or a device; pack the bundle without it")
        if member.flag_bits & 1:
            raise BundleError(f"{archive}: {_shown(name)} is encrypted; pack the bundle without a password")
        if name.endswith("/"):
            continue
        # Alike for file systems that do not tell capitals from small letters.
        if (other := known.setdefault(name.casefold(), name)) is not name:
            raise BundleError(f"{archive}: there are two files {_shown(other)} and {_shown(name)}; pack it again")
        if member.file_size > _HARMLESS and member.file_size > _MOST_SHRINKING * member.compress_size:
            raise BundleError(
                f"{archive}: {_shown(name)} would grow from {member.compress_size:,} to {member.file_size:,} bytes, "
                f"more than {_MOST_SHRINKING} times; no file of a bundle does"
            )
        members[name] = member
        total += member.file_size
        _check_amount(len(members), total, archive)
    return members


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """An archive whose bytes depend on nothing but the files.

    Args:
        files: contents by path within the bundle.

    Returns:
        The contents of a .zip file: sorted names, one date for all, no trace of a system or user.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, _NO_DATE)
            member.compress_type = zipfile.ZIP_DEFLATED
            # As of Unix, on each system.
            member.create_system = 3
            member.external_attr = (stat.S_IFREG | 0o644) << 16
            packed.writestr(member, files[name])
    return buffer.getvalue()


def digest_of(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_name(name: str, where: Path) -> None:
    parts = name.split("/")
    if len(parts) > _DEEPEST or not all(_PART.fullmatch(part) for part in parts):
        raise BundleError(
            f"{where}: no bundle has a file or folder named {_shown(name)}: names are of letters, digits, dots, "
            f"hyphens and underscores, with no dot in front and at most {_DEEPEST - 1} folders; remove it"
        )


def _check_amount(files: int, total: int, where: Path) -> None:
    if files > MOST_FILES or total > MOST_BYTES:
        raise BundleError(
            f"{where} holds more than {MOST_FILES:,} files or {MOST_BYTES // 2**30} GiB; publish it as several bundles"
        )


def _shown(name: str) -> str:
    """A name that came from anybody, short, with what steers a terminal or a text's direction written out."""
    return ascii(name[:80]) + ("..." if len(name) > 80 else "")
