"""The Debian package that the dataset is made from."""

from __future__ import annotations

from huse_bench_datasets._shipped.sources import debian

__all__ = ["PACKAGE"]

#: Release 0.18 of the Open Clip Art Library, as Debian has it.
PACKAGE = debian(
    "openclipart-svg",
    "1:0.18+dfsg-19",
    "989712d90d57dfa3230049f553bb43b76c30ee4d4b8c5f6e106e33f7db5cbdc5",
    pool="o/openclipart",
)
