"""Hook plugins that a command asks for by name, and that are switched off where they fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from huse_bench.discovery._component import Component, describe, repair
from huse_bench.discovery._loading import load
from huse_bench.discovery._registry import find
from huse_bench.discovery._session import hook_manager
from huse_bench.errors import HuseBenchError, PluginLoadError

__all__ = ["TRACKER_HOOKS", "Trackers"]

#: What a command tells trackers.
TRACKER_HOOKS = (
    "huse_bench_run_start",
    "huse_bench_run_measured",
    "huse_bench_run_finished",
    "huse_bench_run_failed",
    "huse_bench_run_stopped",
)


class Trackers:
    """The trackers of a command, each made anew for it.

    Args:
        names: of installed trackers, as users ask for them.

    Raises:
        UnknownComponentError: if no distribution provides one, or the one that does is switched off.
        MissingExtraError: if a package that one needs is not installed.
        PluginConflictError, PluginLoadError: if one cannot be had, or refuses to begin.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._manager = hook_manager()
        self._records: dict[str, Component] = {}
        for name in names:
            record, made = find("tracker", name), load("tracker", name)
            try:
                self._manager.register(made(), record.label)
            # What the user can mend says so itself.
            except HuseBenchError:
                raise
            except (Exception, SystemExit) as error:
                raise PluginLoadError(f"{record.label} cannot begin: {describe(error)}. {repair(record)}") from error
            self._records[record.label] = record

    def notify(self, hook_name: str, **arguments: Any) -> list[str]:
        """Call the trackers' implementations of a hook; one that fails is called no more.

        Args:
            hook_name: one of the hooks, such as ``"huse_bench_run_finished"``.
            **arguments: those of the hook.

        Returns:
            One line for each that failed.
        """
        errors = []
        for implementation in reversed(getattr(self._manager.hook, hook_name).get_hookimpls()):
            try:
                implementation.function(*(arguments[name] for name in implementation.argnames))
            # Whatever a tracker does, the runs are worth more.
            except (Exception, SystemExit) as error:  # noqa: BLE001
                label = implementation.plugin_name
                self._manager.unregister(name=label)
                errors.append(f"{label} failed in {hook_name} and is switched off; the run goes on: {describe(error)}")
        return errors
