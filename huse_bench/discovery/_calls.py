"""Calling hooks one plugin at a time, so that one that fails takes nothing else down."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from huse_bench.discovery._component import repair
from huse_bench.discovery._environment import strict
from huse_bench.discovery._session import invoke, sound_session
from huse_bench.errors import PluginError

__all__ = ["collect", "notify"]


def notify(hook_name: str, **arguments: Any) -> list[str]:
    """Call every plugin's implementation of a hook that returns nothing.

    Args:
        hook_name: one of the hooks, such as ``"huse_bench_run_finished"``.
        **arguments: those of the hook.

    Returns:
        One line for each implementation that failed, naming its plugin, distribution and version.

    Raises:
        PluginError: if one failed and ``HUSE_BENCH_STRICT_PLUGINS`` is 1.
    """
    errors: list[str] = []
    for implementation, owner in sound_session().implementations(hook_name):
        with _isolated(errors):
            invoke(implementation, owner, hook_name, arguments)
    return errors


def collect(hook_name: str, **arguments: Any) -> tuple[list[dict[str, str]], list[str]]:
    """Call every plugin's implementation of a hook that returns facts.

    Args:
        hook_name: one of the hooks, such as ``"huse_bench_provenance"``.
        **arguments: those of the hook.

    Returns:
        The facts of each plugin, and one line for each that failed or returned anything else, as in :func:`notify`.

    Raises:
        PluginError: if one failed and ``HUSE_BENCH_STRICT_PLUGINS`` is 1.
    """
    results: list[dict[str, str]] = []
    errors: list[str] = []
    for implementation, owner in sound_session().implementations(hook_name):
        with _isolated(errors):
            result = invoke(implementation, owner, hook_name, arguments)
            # Checked here, so that what a plugin returns cannot spoil the record of a finished run.
            if not isinstance(result, dict) or not all(
                isinstance(text, str) for pair in result.items() for text in pair
            ):
                raise PluginError(
                    f"{owner.label} failed in {hook_name}: it must return strings by name in a dict, not {result!r}. "
                    f"{repair(owner)}"
                )
            results.append(result)
    return results, errors


@contextmanager
def _isolated(errors: list[str]) -> Iterator[None]:
    try:
        yield
    except PluginError as error:
        if strict():
            raise
        errors.append(str(error))
