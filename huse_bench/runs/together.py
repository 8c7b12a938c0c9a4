"""A command that torchrun starts several times: one process leads it, and the others train with it.

The leader plans, evaluates, writes and prints as any command does. The others follow: they plan the same runs, and
train those that they are told to.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path

import torch
from torch import distributed

from huse_bench.config import RunConfig
from huse_bench.errors import ConfigError
from huse_bench.features import Prepared
from huse_bench.runs.plan import RunSpec
from huse_bench.runs.stopping import deferred
from huse_bench.runs.unit import follow_unit
from huse_bench.training.parallel import heard, processes

__all__ = ["follow", "follows", "join", "leader_first", "led", "nothing_more", "refuse"]

# Features are made and runs evaluated while the others wait. If a process ends, torchrun ends them all.
_PATIENCE = timedelta(days=7)

# All end a training at the same step, after which the leader has more to do than the others.
_SOON = timedelta(seconds=30)

# In place of a run's number.
_END = -1


def join(config: RunConfig) -> None:
    """Meet the other processes of a command, where torchrun started several.

    Args:
        config: of the command.

    Raises:
        ConfigError: for a device that only one of them can train on.
    """
    if not _started_by_torchrun() or processes() > 1:
        return
    if config.device is not None and torch.device(config.device).index is not None:
        raise ConfigError(
            f"device {config.device!r} ({config.origin('device')}) is one device, and torchrun started "
            f"{os.environ['WORLD_SIZE']} processes, each of which trains on its own; name the kind alone: "
            f"{torch.device(config.device).type}"
        )
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=_PATIENCE)
    atexit.register(distributed.destroy_process_group)
    _control()


def refuse(what: str) -> None:
    """Refuse to be one of several processes.

    Args:
        what: cannot be shared, for the message.

    Raises:
        ConfigError: where torchrun started several.
    """
    if _started_by_torchrun():
        raise ConfigError(
            f"{what} is the work of one process, and torchrun started {os.environ['WORLD_SIZE']}; leave torchrun out"
        )


def follows() -> bool:
    """Whether this process follows another, which writes and prints."""
    return processes() > 1 and distributed.get_rank() > 0


@contextmanager
def leader_first() -> Iterator[None]:
    """Let the leader do it before the others, as where it makes features that they then find."""
    if follows():
        with heard():
            distributed.barrier()
    yield
    if processes() > 1 and not follows():
        with heard():
            distributed.barrier()


@contextmanager
def led(run: int) -> Iterator[None]:
    """Have the followers train a run with this process.

    Args:
        run: its place among the planned ones.

    Raises:
        LostProcessError: if they are not done with it when this process is, as where it alone ran out of memory: they
            then wait for it in the middle of a step, and no further run can be trained with them.
    """
    if processes() == 1:
        yield
        return
    with heard():
        distributed.broadcast(torch.tensor(run), src=0)
    yield
    with heard():
        distributed.monitored_barrier(_control(), timeout=_SOON)


def nothing_more() -> None:
    """Let the followers end."""
    if processes() > 1:
        distributed.broadcast(torch.tensor(_END), src=0)


# A signal is sent to all, and the leader keeps a checkpoint first.
@deferred()
def follow(specs: Sequence[RunSpec], prepared: Prepared, folder: Path) -> None:
    """Train with the leader until it has nothing more.

    Args:
        specs: all planned runs, in the order that the leader has.
        prepared: the data.
        folder: of the results, which may have checkpoints.

    Raises:
        LostProcessError: if the leader ends before it has nothing more.
    """
    while (run := _told()) != _END:
        follow_unit(specs[run], prepared, folder)
        with heard():
            # The leader evaluates and writes first.
            distributed.monitored_barrier(_control(), timeout=_PATIENCE)


@cache
def _control() -> distributed.ProcessGroup:
    """The processes as a group that can say who is missing; made by all of them at once."""
    group: distributed.ProcessGroup = distributed.new_group(backend="gloo", timeout=_PATIENCE)
    return group


def _told() -> int:
    run = torch.tensor(_END)
    with heard():
        distributed.broadcast(run, src=0)
    return int(run)


def _started_by_torchrun() -> bool:
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and {"RANK", "MASTER_ADDR"} <= os.environ.keys()
