import sys
from pathlib import Path

import pytest

pytest.importorskip("cpuinfo", reason="needs the extra bench")
pytest.importorskip("threadpoolctl", reason="needs the extra bench")

# Last, so that huse_bench is the installed one.
sys.path.append(str(Path(__file__).parents[2]))
