"""Run records, the folder they live in, and the tables made from them; nothing here needs torch."""

from huse_bench.fingerprint import fingerprint
from huse_bench.measures import DIRECTIONS
from huse_bench.results.card import DataCard
from huse_bench.results.published import Published, published_tables
from huse_bench.results.schema import (
    Classification,
    DatasetInfo,
    Device,
    Learning,
    MethodInfo,
    RunRecord,
    Setting,
    SplitSizes,
    Training,
)
from huse_bench.results.store import Store
from huse_bench.results.summary import summary
from huse_bench.results.tables import Results, load_results

__all__ = [
    "DIRECTIONS",
    "Classification",
    "DataCard",
    "DatasetInfo",
    "Device",
    "Learning",
    "MethodInfo",
    "Published",
    "Results",
    "RunRecord",
    "Setting",
    "SplitSizes",
    "Store",
    "Training",
    "fingerprint",
    "load_results",
    "published_tables",
    "summary",
]
