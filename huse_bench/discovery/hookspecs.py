"""The hooks that a plugin may implement, and the two markers that pluggy needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

if TYPE_CHECKING:
    import click
    import pandas as pd

    from huse_bench.config import RunConfig
    from huse_bench.results import RunRecord

__all__ = ["PlannedMethod", "PlannedRun", "Register", "hookimpl", "hookspec"]

#: Marks a function as a hook that huse-bench calls.
hookspec = pluggy.HookspecMarker("huse_bench")

#: Marks a plugin's function as its implementation of the hook of the same name.
hookimpl = pluggy.HookimplMarker("huse_bench")


class Register(Protocol):
    """What ``huse_bench_register_components`` is given to name components with."""

    def __call__(self, kind: str, name: str, target: str) -> None:
        """Name one component without importing it.

        Args:
            kind: ``"loss"``, ``"backbone"``, ``"dataset"`` or ``"tracker"``.
            name: what a user asks for.
            target: where the class is, as ``"package.module:Class"``.

        Raises:
            PluginError: if the kind is none of the four.
        """


class PlannedMethod(Protocol):
    """What a hook may read of a run's method."""

    @property
    def name(self) -> str:
        """What the user asked for, such as ``"huse"``."""

    @property
    def title(self) -> str:
        """The name of its row in the tables."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Every hyper-parameter by name, defaults included."""


class PlannedRun(Protocol):
    """What a hook may read of a run that has no record yet."""

    @property
    def method(self) -> PlannedMethod:
        """The loss with its hyper-parameters."""

    @property
    def seed(self) -> int:
        """The seed of the run."""

    @property
    def fingerprint(self) -> str:
        """sha256 over everything that changes the run's numbers; its record has the same."""

    @property
    def configuration(self) -> str:
        """The same without the seed: equal for the runs that a row of a table averages."""

    @property
    def config(self) -> RunConfig:
        """The configuration of the whole command."""


@hookspec
def huse_bench_register_components(register: Register) -> None:
    """Name losses, backbones, datasets and trackers that entry points cannot list one by one.

    Args:
        register: called once a component, as ``register(kind, name, "package.module:Class")``.
    """


@hookspec
def huse_bench_register_commands(cli: click.Group) -> None:
    """Add commands to ``huse-bench``.

    Args:
        cli: the group to add them to, with ``cli.add_command(command)`` or ``@cli.command()``.
    """


@hookspec
def huse_bench_configure(config: RunConfig) -> None:
    """See the configuration once it is complete and before anything runs.

    Args:
        config: the values that all runs will use.
    """


@hookspec
def huse_bench_run_start(spec: PlannedRun) -> None:
    """Observe that a run begins.

    Args:
        spec: what is about to run: the method, the seed, the fingerprint and the configuration.
    """


@hookspec
def huse_bench_run_measured(
    spec: PlannedRun, step: int, losses: Mapping[str, float], validation: Mapping[str, float]
) -> None:
    """Observe a point of the learning curve of a run, some fifty of which are measured.

    Args:
        spec: what runs, as ``huse_bench_run_start`` was given it.
        step: after which it was measured.
        losses: the loss terms of that step by name.
        validation: metrics on the validation split by name.
    """


@hookspec
def huse_bench_run_stopped(spec: PlannedRun) -> None:
    """Observe that a run ends here without a record, to be gone on with by another command.

    Args:
        spec: what ran, as ``huse_bench_run_start`` was given it.
    """


@hookspec
def huse_bench_run_finished(record: RunRecord) -> None:
    """Observe that a run finished and its record is stored.

    Args:
        record: the record, as it was written.
    """


@hookspec
def huse_bench_run_failed(spec: PlannedRun, error: BaseException) -> None:
    """Observe that a run failed or diverged.

    Args:
        spec: what ran, as ``huse_bench_run_start`` was given it.
        error: what stopped it.
    """


@hookspec
def huse_bench_provenance() -> dict[str, str]:  # type: ignore[empty-body]  # a specification has no body
    """Tell where and how the runs are made, for their records.

    Returns:
        Facts by name, such as ``{"cluster": "north"}``.
    """


@hookspec
def huse_bench_modify_table(table: pd.DataFrame, name: str) -> None:
    """Change a table in place before it is shown or written.

    Args:
        table: one row a method; the caller's own copy.
        name: which table it is, such as ``"table2"``.
    """
