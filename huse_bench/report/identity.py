"""Which results a table was made of, in a few digits that fit a paper."""

from __future__ import annotations

import hashlib

from huse_bench.results.tables import Results

__all__ = ["short_hash"]

_DIGITS = 12


def short_hash(*results: Results) -> str:
    """The first twelve hexadecimal digits of a SHA-256 over the fingerprints of the runs, in ascending order.

    Args:
        *results: the runs, of one data set or several.
    """
    lines = "\n".join(sorted(record.fingerprint for each in results for record in each.records))
    return hashlib.sha256(lines.encode()).hexdigest()[:_DIGITS]
