"""Files that anybody may have written: what they say of themselves is looked at before memory is taken for it.

A message says what is wrong from "it" on; who asked puts the file in front of it and the cure behind it.
"""

from huse_bench.untrusted._parquet import MOST_BYTES, MOST_VALUES, check_parquet, read_parquet
from huse_bench.untrusted._safetensors import SafetensorsHeader, safetensors_header
from huse_bench.untrusted._texts import MOST_NESTED, MOST_TEXT, json_value, read_limited
from huse_bench.untrusted._zip import MOST_LISTED, open_zip

__all__ = [
    "MOST_BYTES",
    "MOST_LISTED",
    "MOST_NESTED",
    "MOST_TEXT",
    "MOST_VALUES",
    "SafetensorsHeader",
    "check_parquet",
    "json_value",
    "open_zip",
    "read_limited",
    "read_parquet",
    "safetensors_header",
]
