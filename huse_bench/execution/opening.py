"""An engine by its name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from huse_bench.errors import ConfigError, MissingExtraError
from huse_bench.execution.engine import Engine

__all__ = ["check_engine", "open_engine"]

# What each is made of, where that is not installed with huse-bench.
_PACKAGES = {"dask": "distributed", "ray": "ray", "slurm": "submitit"}


def check_engine(name: str, address: str | None, options: Mapping[str, Any]) -> None:
    """Refuse, before anything that takes long, an engine that could not be opened.

    Args:
        name: ``"loky"``, ``"dask"``, ``"ray"`` or ``"slurm"``.
        address: of the cluster; None where the engine finds it or has none.
        options: of a task or job, by Ray's or submitit's names.

    Raises:
        MissingExtraError: if its package is not installed.
        ConfigError: for an address or options that the engine does not take.
    """
    if options and name not in {"ray", "slurm"}:
        raise ConfigError(f"the engine {name!r} takes no engine options, and these were given: {', '.join(options)}")
    if name == "loky" and address is not None:
        raise ConfigError(f"the engine 'loky' is processes of this machine and has no address; {address!r} was given")
    if name == "dask" and address is None:
        raise ConfigError("the engine 'dask' needs the address of a scheduler: --address tcp://HOST:8786")
    if name == "slurm" and address not in {None, "local"}:
        raise ConfigError(
            f"the engine 'slurm' is that of the machine that it is called on, and has no address but 'local', which "
            f"tries it with processes of this machine; {address!r} was given"
        )
    package = _PACKAGES.get(name)
    if package is not None and find_spec(package) is None:
        raise MissingExtraError(f"the engine {name!r}", name, package)


def open_engine(
    name: str,
    *,
    jobs: int | None,
    address: str | None,
    options: Mapping[str, Any],
    gpu: bool,
    folder: Path,
) -> Engine:
    """Start processes, or join a cluster.

    Args:
        name: as of :func:`check_engine`, and so on.
        jobs: tasks at work at once; None leaves it to the engine.
        address: of the cluster.
        options: of a task or job.
        gpu: whether each task needs a GPU.
        folder: for files of the engine's own, which every worker must see.

    Raises:
        MissingExtraError, ConfigError: as :func:`check_engine`, or where the cluster refuses the options.
        EngineError: if there is no such cluster, or it has no workers.
    """
    check_engine(name, address, options)
    # Each is imported when it is asked for: they are slow, and some are not installed.
    if name == "loky":
        from huse_bench.execution.loky_processes import LokyProcesses  # noqa: PLC0415

        return LokyProcesses(jobs or 1, gpu=gpu)
    if name == "dask":
        from huse_bench.execution.dask_cluster import DaskCluster  # noqa: PLC0415

        return DaskCluster(str(address), jobs)
    if name == "ray":
        from huse_bench.execution.ray_cluster import RayCluster  # noqa: PLC0415

        return RayCluster(address, jobs, gpu=gpu, options=options)
    from huse_bench.execution.slurm_jobs import SlurmJobs  # noqa: PLC0415

    return SlurmJobs(folder, jobs, gpu=gpu, options=options, local=address == "local")
