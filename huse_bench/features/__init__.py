"""Features of a dataset's items, checked and ready to train on."""

from huse_bench.features._prepare import Prepared, SplitFeatures, prepare

__all__ = ["Prepared", "SplitFeatures", "prepare"]
