"""The pluggy manager and the records of everything installed, made once, when first needed.

Hook plugins are imported here, each in isolation; components are not.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint
from time import perf_counter
from typing import Any

import pluggy

from huse_bench.discovery import hookspecs
from huse_bench.discovery._component import BUILTIN, GROUPS, Component, canonical, describe, repair
from huse_bench.discovery._conflicts import mark_conflicts
from huse_bench.discovery._environment import Selection, read_selection, strict
from huse_bench.discovery._files import FileListing, file_listings
from huse_bench.discovery._metadata import Listing, hook_entries, listings
from huse_bench.errors import PluginError, PluginLoadError
from huse_bench.hints import among

__all__ = ["Session", "hook_manager", "hooks_of", "invoke", "refresh", "session", "sound_session"]

_LOG = logging.getLogger(__name__)
_REGISTER = "huse_bench_register_components"
_TARGET = re.compile(r"[\w.]+:[\w.]+")


@dataclass(frozen=True)
class Session:
    """What was found on this Python path under this environment.

    Attributes:
        manager: holds the hook plugins that could be loaded.
        owners: the record of each plugin in the manager, by its name there.
        hook_plugins: the records of all hook plugins.
        components: the records of all losses, backbones, datasets and trackers.
    """

    manager: pluggy.PluginManager
    owners: dict[str, Component]
    hook_plugins: list[Component]
    components: list[Component]

    def implementations(self, hook_name: str) -> Iterator[tuple[pluggy.HookImpl, Component]]:
        """The implementations of a hook with the plugins they are of, in the order that pluggy calls them."""
        for implementation in reversed(getattr(self.manager.hook, hook_name).get_hookimpls()):
            yield implementation, self.owners[implementation.plugin_name]


class _Register:
    """The ``register`` of one plugin's ``huse_bench_register_components``."""

    def __init__(self, owner: Component, switched_off: str | None) -> None:
        self.components: list[Component] = []
        self._owner = owner
        self._switched_off = switched_off

    def __call__(self, kind: str, name: str, target: str) -> None:
        known = next((each for each in GROUPS if each == kind), None)
        if known is None:
            raise PluginError(f"component {name!r} is registered as a {kind!r}{among(kind, GROUPS)}")
        component = Component(known, canonical(name), target, self._owner.distribution, self._owner.version)
        if self._switched_off:
            component = replace(component, status="disabled", error=self._switched_off)
        elif not _TARGET.fullmatch(target):
            error = (
                f"{component.label} cannot be loaded: its target must be 'package.module:Class'. {repair(component)}"
            )
            component = replace(component, status="broken", error=error)
        self.components.append(component)


@cache
def session() -> Session:
    """Everything installed; what fails is recorded as broken, with one line on standard error.

    Raises:
        UsageError: if an environment variable is set to what cannot be.
    """
    entries, installed = hook_entries(), listings()
    files, broken = file_listings({name: kind for listing in installed for name, kind in listing.classes.items()})
    lists: list[Listing | FileListing] = [*installed, *files]
    records = [record for record, _ in entries] + [listing.record for listing in lists]
    selection = read_selection({BUILTIN, *(name for record in records for name in _names(record))})
    manager = hook_manager()
    hook_plugins = [*(_load_hooks(manager, record, entry, selection) for record, entry in entries), *broken]
    for listing in lists:
        manager.register(listing, _key(listing.record))
    owners = {_key(record): record for record in records}
    found = _with_components(Session(manager, owners, hook_plugins, []), selection)
    if not strict():
        for line in _errors(found.hook_plugins):
            _LOG.warning("huse-bench: warning: %s", line)
    return found


def sound_session() -> Session:
    """Everything installed, as in :func:`session`.

    Raises:
        UsageError: as there.
        PluginLoadError: if a hook plugin failed and ``HUSE_BENCH_STRICT_PLUGINS`` is 1.
    """
    found = session()
    if strict() and (errors := _errors(found.hook_plugins)):
        raise PluginLoadError("\n".join(errors))
    return found


def refresh() -> None:
    """Forget what was found, so that a plugin installed while Python runs, as in a notebook, is seen."""
    session.cache_clear()


def invoke(implementation: pluggy.HookImpl, owner: Component, hook_name: str, arguments: Mapping[str, object]) -> Any:
    """The result of one plugin's implementation of a hook.

    Raises:
        PluginError: if it raises or exits; the message names the plugin, its distribution and version.
    """
    try:
        return implementation.function(*(arguments[name] for name in implementation.argnames))
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"{owner.label} failed in {hook_name}: {describe(error)}. {repair(owner, error)}, "
            f"or set HUSE_BENCH_DISABLE_PLUGINS={owner.name}"
        ) from error


def _load_hooks(manager: pluggy.PluginManager, record: Component, entry: EntryPoint, selection: Selection) -> Component:
    if reason := selection.against(_names(record)):
        return replace(record, status="disabled", error=reason)
    key, start = _key(record), perf_counter()
    try:
        plugin = entry.load()
        manager.register(plugin, key)
        _check_hooks(manager, plugin)
    except (Exception, SystemExit) as error:  # noqa: BLE001  one plugin's failure must not be another's
        if manager.has_plugin(key):
            manager.unregister(name=key)
        message = (
            f"{record.label} cannot be loaded: {describe(error)}. {repair(record, error)}, "
            f"or set HUSE_BENCH_DISABLE_PLUGINS={record.name}"
        )
        return replace(record, status="broken", error=message)
    return replace(record, import_ms=(perf_counter() - start) * 1000)


def hook_manager() -> pluggy.PluginManager:
    """A manager that knows the hooks, and no plugin yet."""
    manager = pluggy.PluginManager("huse_bench")
    manager.add_hookspecs(hookspecs)
    return manager


def hooks_of(cls: type) -> dict[str, Callable[..., object]]:
    """The functions of a class that implement hooks, by the hooks' names.

    Raises:
        PluginError: if there is none, or one that is never called, or called with other arguments.
    """
    manager = hook_manager()
    try:
        manager.register(cls)
    except pluggy.PluginValidationError as error:
        raise PluginError(" ".join(str(error).split())) from error
    _check_hooks(manager, cls)
    return {
        caller.name: implementation.function
        for caller in manager.get_hookcallers(cls) or ()
        for implementation in caller.get_hookimpls()
    }


def _check_hooks(manager: pluggy.PluginManager, plugin: object) -> None:
    """Raise PluginError where a plugin of a manager implements nothing, or what is never called."""
    callers = manager.get_hookcallers(plugin)
    if not callers:
        raise PluginError("it implements no hook; its functions must be marked with @huse_bench.hookimpl")
    known = [name for name in vars(hookspecs) if name.startswith("huse_bench_")]
    for caller in callers:
        for implementation in caller.get_hookimpls():
            if implementation.plugin is not plugin:
                continue
            if not caller.has_spec() and not implementation.optionalhook:
                raise PluginError(f"{caller.name} is no hook of this huse-bench{among(caller.name, known)}")
            if implementation.wrapper or implementation.hookwrapper:
                raise PluginError(f"{caller.name} is a wrapper, but each implementation is called by itself")


def _with_components(found: Session, selection: Selection) -> Session:
    components: list[Component] = []
    failures: dict[str, str] = {}
    for implementation, owner in found.implementations(_REGISTER):
        register = _Register(owner, selection.against(_names(owner)))
        try:
            invoke(implementation, owner, _REGISTER, {"register": register})
        except PluginError as error:
            failures[_key(owner)] = str(error)
        components += register.components
    hook_plugins = [
        replace(record, status="broken", error=failures[_key(record)]) if _key(record) in failures else record
        for record in found.hook_plugins
    ]
    return replace(found, hook_plugins=hook_plugins, components=mark_conflicts(components))


def _errors(records: list[Component]) -> list[str]:
    return [record.error for record in records if record.status == "broken" and record.error]


def _names(record: Component) -> set[str]:
    return {record.name, record.distribution}


def _key(record: Component) -> str:
    return f"{record.distribution}::{record.name} ({record.target})"
