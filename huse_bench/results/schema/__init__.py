"""The run record: what one run wrote down about itself, as a versioned schema."""

from huse_bench.results.schema._parts import (
    CONTROL_PREFIX,
    CONTROL_SECTION,
    Classification,
    DatasetInfo,
    Device,
    Json,
    Learning,
    MethodInfo,
    Part,
    Setting,
    Sha256,
    SplitSizes,
    Title,
    Training,
    Tuning,
    one_line,
)
from huse_bench.results.schema._record import SCHEMA_VERSION, Kind, RunRecord

__all__ = [
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
    "one_line",
]
