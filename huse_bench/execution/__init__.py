"""Where work is done: processes of this machine, or a Dask, Ray or Slurm cluster, behind one seam."""

from huse_bench.execution.engine import Ended, Engine, Task
from huse_bench.execution.opening import check_engine, open_engine

__all__ = ["Ended", "Engine", "Task", "check_engine", "open_engine"]
