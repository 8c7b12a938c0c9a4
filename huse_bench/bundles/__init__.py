"""Bundles: results as others can check, cite and join them."""

from huse_bench.bundles.reading import Bundle, read_bundle
from huse_bench.bundles.schema import LEVELS, BundleFacts, Level, Source, Verification, Verified

__all__ = ["LEVELS", "Bundle", "BundleFacts", "Level", "Source", "Verification", "Verified", "read_bundle"]
