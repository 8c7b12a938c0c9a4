"""The npm packages that the dataset is made from, fetched at fixed versions."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huse_bench import errors

__all__ = ["PACKAGES", "Package", "fetch", "members", "opened"]


@dataclass(frozen=True)
class Package:
    """One version of an npm package.

    Attributes:
        name: as npm knows it.
        version: the version.
        sha256: of its tarball.
    """

    name: str
    version: str
    sha256: str

    @property
    def tarball(self) -> str:
        """The file name that ``npm pack`` gives it."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


#: The packages by what the build calls them.
PACKAGES: Mapping[str, Package] = {
    "noto": Package(
        "emoji-datasource-google",
        "16.0.0",
        "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438",
    ),
    "twemoji": Package(
        "emoji-datasource-twitter",
        "16.0.0",
        "f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877",
    ),
    "fluent": Package(
        "@lobehub/fluent-emoji-3d",
        "1.1.0",
        "c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
    ),
    "openmoji": Package(
        "openmoji",
        "17.0.0",
        "55ee7d13485dec86e9f38c1f3a645a13382d33ff97c0cd845ee824b0aef45e68",
    ),
    "emojibase": Package(
        "emojibase-data",
        "17.0.0",
        "d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
    ),
    "emojilib": Package(
        "emojilib",
        "4.0.3",
        "7f9a6b43cff31d18985b7d65d11faba5bd971cbcc60020cf6d09322fbaaaf303",
    ),
}


def fetch(folder: Path) -> None:
    """Fetch into a folder the tarballs that are not there yet, with ``npm pack``.

    Args:
        folder: where to.

    Raises:
        DataError: if npm is not installed or cannot fetch a package.
    """
    for package in PACKAGES.values():
        if (folder / package.tarball).exists():
            continue
        npm = shutil.which("npm")
        wanted = f"{package.name}@{package.version}"
        if npm is None:
            raise errors.DataError(
                f"npm, which fetches {wanted}, is not installed. Install Node.js, or put {package.tarball} into a "
                "folder and name it with --sources"
            )
        done = subprocess.run(  # noqa: S603  a fixed command; the package names are the constants above
            [npm, "pack", "--silent", wanted], cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise errors.DataError(
                f"npm cannot fetch {wanted}: {done.stderr.strip() or done.stdout.strip()}. Check the network and npm's "
                f"registry, or put {package.tarball} into a folder and name it with --sources"
            )


@contextmanager
def opened(sources: Path | None) -> Iterator[Path]:
    """The folder of the tarballs.

    Args:
        sources: where they are; None to fetch them, for as long as the folder is open.

    Raises:
        DataError: as of :func:`fetch`.
    """
    if sources is not None:
        yield sources
        return
    with tempfile.TemporaryDirectory() as folder:
        fetch(Path(folder))
        yield Path(folder)


def members(folder: Path, name: str, prefix: str) -> dict[str, bytes]:
    """Read the files of a package that lie under one of its folders.

    Args:
        folder: where the tarballs are.
        name: key of :data:`PACKAGES`.
        prefix: start of the paths wanted, without the ``package/`` of npm.

    Returns:
        Contents by path below the prefix.

    Raises:
        DataError: if the tarball is missing or is not the one that the dataset was made from.
    """
    package = PACKAGES[name]
    path = folder / package.tarball
    if not path.is_file():
        raise errors.DataError(
            f"{path} is missing. Fetch it there with: npm pack {package.name}@{package.version}, or leave --sources out"
        )
    if hashlib.sha256(path.read_bytes()).hexdigest() != package.sha256:
        raise errors.DataError(
            f"{path} is not the {package.name}@{package.version} that the dataset is made from: its SHA-256 is not "
            f"{package.sha256}. Delete it and fetch it anew"
        )
    start = f"package/{prefix}"
    found = {}
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and member.name.startswith(start):
                content = archive.extractfile(member)
                if content is not None:
                    found[member.name.removeprefix(start)] = content.read()
    return found
