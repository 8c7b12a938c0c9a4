"""Reading what the installed distributions declare, without importing any of it."""

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

from huse_bench.discovery._component import GROUPS, Component, Kind, canonical
from huse_bench.discovery.hookspecs import hookimpl

__all__ = ["Listing", "hook_entries", "listings"]

_HOOK_GROUP = "huse_bench"


class Listing:
    """The components that one distribution's entry points name, as a plugin like any other's.

    Args:
        record: the distribution, as a record.
    """

    def __init__(self, record: Component) -> None:
        self.record = record
        self._entries: list[tuple[Kind, EntryPoint]] = []

    def add(self, kind: Kind, entry: EntryPoint) -> None:
        """Take one more entry point of the distribution."""
        self._entries.append((kind, entry))

    @property
    def classes(self) -> dict[str, Kind]:
        """Kind by name of the class."""
        return {_target(entry).rpartition(":")[2]: kind for kind, entry in self._entries}

    @hookimpl
    def huse_bench_register_components(self, register: Callable[[str, str, str], None]) -> None:
        """Register every entry point."""
        for kind, entry in self._entries:
            register(kind, entry.name, _target(entry))


def listings() -> list[Listing]:
    """One listing for each distribution that names a component.

    A distribution that is on the path twice counts once, where Python would import it from.
    """
    found: dict[str, Listing] = {}
    installed = entry_points()
    for kind, group in GROUPS.items():
        for entry in installed.select(group=group):
            distribution, version = _owner(entry)
            record = Component("hooks", distribution, "entry points", distribution, version)
            found.setdefault(distribution, Listing(record)).add(kind, entry)
    return list(found.values())


def hook_entries() -> list[tuple[Component, EntryPoint]]:
    """The hook plugins' records, with the entry points to load them by; sorted by name and distribution."""
    found = []
    for entry in entry_points(group=_HOOK_GROUP):
        distribution, version = _owner(entry)
        found.append((Component("hooks", canonical(entry.name), _target(entry), distribution, version), entry))
    return sorted(found, key=lambda pair: (pair[0].name, pair[0].distribution))


def _owner(entry: EntryPoint) -> tuple[str, str]:
    # What an interrupted installation leaves has entry points without a name or version.
    if entry.dist is None:
        return "unknown", "unknown"
    try:
        return canonical(entry.dist.name or "unknown"), entry.dist.version or "unknown"
    # The backport importlib_metadata, once anything has imported it, answers in place of the standard library.
    except (ImportError, OSError):
        return "unknown", "unknown"


def _target(entry: EntryPoint) -> str:
    return entry.value.partition("[")[0].strip()
