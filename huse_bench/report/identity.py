"""Which results a table was made of, in a few digits that fit a paper."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal, NamedTuple

from huse_bench.errors import ConfigError
from huse_bench.fingerprint import fingerprint
from huse_bench.results.tables import Results
from huse_bench.text_files import read_json

__all__ = ["Cited", "cited", "short_hash"]

_DIGITS = 12

# What makes a folder a bundle.
_BUNDLE = "bundle.json"


class Cited(NamedTuple):
    """What a table is cited by.

    Attributes:
        kind: what the hash is of: a bundle, or the runs alone.
        hash: twelve hexadecimal digits.
    """

    kind: Literal["bundle", "results"]
    hash: str


def cited(results: Results) -> Cited:
    """The bundle that results were read from, as it is cited itself; else their runs.

    Args:
        results: the runs. They are a bundle's where they lie in ``results/`` of one that names each record, and none
            was changed since.

    Returns:
        The hash, and what it is of.
    """
    folder = None if results.folder is None else results.folder.absolute()
    if folder is not None and folder.parent.name == "results":
        bundle = folder.parents[1]
        try:
            files = read_json(bundle / _BUNDLE)["files"]
            paths = [folder / "runs" / f"{record.stem}.json" for record in results.records]
            if all(files[path.relative_to(bundle).as_posix()] == _sha256(path) for path in paths):
                return Cited("bundle", fingerprint(files)[:_DIGITS])
        except (OSError, ValueError, TypeError, KeyError, ConfigError):
            # It is none, or not whole.
            pass
    return Cited("results", short_hash(results))


def short_hash(*results: Results) -> str:
    """The first twelve hexadecimal digits of a SHA-256 over the fingerprints of the runs, in ascending order.

    Args:
        *results: the runs, of one data set or several.
    """
    lines = "\n".join(sorted(record.fingerprint for each in results for record in each.records))
    return hashlib.sha256(lines.encode()).hexdigest()[:_DIGITS]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
