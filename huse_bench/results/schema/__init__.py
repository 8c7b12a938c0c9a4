"""The run record: what one run wrote down about itself, as a versioned schema."""

from huse_bench.results.schema._asked import DatasetInfo, MethodInfo, Setting, SplitSizes, Tuning
from huse_bench.results.schema._measured import Classification, Device, Learning, Training
from huse_bench.results.schema._record import SCHEMA_VERSION, Kind, RunRecord
from huse_bench.results.schema._values import (
    CHANCE_CONTROL,
    CONTROL_PREFIX,
    CONTROL_SECTION,
    Json,
    Part,
    Sha256,
    Title,
    file_stem,
    one_line,
)

__all__ = [
    "CHANCE_CONTROL",
    "CONTROL_PREFIX",
    "CONTROL_SECTION",
    "SCHEMA_VERSION",
    "Classification",
    "DatasetInfo",
    "Device",
    "Json",
    "Kind",
    "Learning",
    "MethodInfo",
    "Part",
    "RunRecord",
    "Setting",
    "Sha256",
    "SplitSizes",
    "Title",
    "Training",
    "Tuning",
    "file_stem",
    "one_line",
]
