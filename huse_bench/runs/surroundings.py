"""What a worker needs to know beside its task, and how what came of the task goes back: all of it as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic_core import PydanticSerializationError

from huse_bench import dropin
from huse_bench.config import RunConfig
from huse_bench.discovery import refresh
from huse_bench.errors import ConfigError, EngineError, HuseBenchError
from huse_bench.execution.threads import limited
from huse_bench.features import Prepared
from huse_bench.features.prepared_files import load_prepared
from huse_bench.runs.stopping import Stopped, stoppable

__all__ = ["answered", "prepared_at", "read_fields", "surroundings"]

# Settings of the command that a process on another machine has not inherited.
_OURS = "HUSE_BENCH_"

# The random numbers of torch are those of the process.
_one_at_a_time = Lock()


def surroundings(config: RunConfig, prepared: Path, threads: int) -> dict[str, Any]:
    """What tasks of a command have in common, as JSON values.

    Args:
        config: of the task.
        prepared: folder of the data, see :func:`huse_bench.features.prepared_files.save_prepared`.
        threads: of the CPU.

    Raises:
        ConfigError: if a setting is nothing that JSON has.
    """
    try:
        settings = config.model_dump(mode="json")
    except PydanticSerializationError as error:
        raise ConfigError(
            f"a setting is no plain number, text or list ({error}), so that no other process can be told of it; change "
            f"it, or leave out --jobs and --engine"
        ) from error
    return {
        "config": settings,
        "prepared": str(prepared.resolve()),
        "threads": threads,
        "command": sys.argv,
        "environment": {name: value for name, value in os.environ.items() if name.startswith(_OURS)},
    }


def answered(plan: Mapping[str, Any], do: Callable[[RunConfig, Prepared], dict[str, Any]]) -> str:
    """Do a task in a worker, in the surroundings that its plan says.

    Args:
        plan: has :func:`surroundings`.
        do: called with the configuration and the data, which stay on disk until they are used; gives JSON values.

    Returns:
        What :func:`read_fields` reads.
    """
    try:
        # A worker that is told to end writes down how far it is, for whoever takes the task up.
        with _one_at_a_time, stoppable(lambda _: None), limited(plan["threads"]):
            _take_over(plan["environment"], plan["command"])
            config = RunConfig.model_validate_json(json.dumps(plan["config"]))
            return json.dumps(do(config, prepared_at(plan["prepared"])))
    except Stopped as stopped:
        return json.dumps({"lost": str(stopped)})
    # A message crosses to the parent, and a traceback says nothing there.
    except HuseBenchError as error:
        return json.dumps({"refused": str(error)})


def read_fields(text: str) -> dict[str, Any]:
    """Read what :func:`answered` returned; under ``lost`` is why the worker ended before the task, where it did.

    Args:
        text: the answer.

    Raises:
        EngineError: if the worker refused the task.
    """
    fields: dict[str, Any] = json.loads(text)
    if "refused" in fields:
        raise EngineError(fields["refused"])
    return fields


@lru_cache(maxsize=1)
def prepared_at(folder: str) -> Prepared:
    """The data in a folder, kept for the next task.

    Args:
        folder: where they were written.
    """
    return load_prepared(Path(folder))


def _take_over(environment: Mapping[str, str], command: list[str]) -> None:
    """See plugins as the command does, and be called what it is called in records."""
    sys.argv[:] = command
    own = {name: value for name, value in os.environ.items() if name.startswith(_OURS)}
    if own == environment:
        return
    for name in own:
        del os.environ[name]
    os.environ.update(environment)
    folder = environment.get("HUSE_BENCH_PLUGINS_DIR")
    dropin.__path__[:] = [folder] if folder else []
    refresh()
