"""Where the host waits for the GPU."""

import warnings
from collections import Counter
from pathlib import Path

import torch


def waits(work):
    """Do something, and count the waits that torch notices, by file and line."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            work()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return Counter(
        f"{Path(warning.filename).name}:{warning.lineno}"
        for warning in caught
        if "synchroniz" in str(warning.message).lower()
    )
