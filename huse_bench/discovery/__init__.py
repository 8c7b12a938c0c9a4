"""What is installed: components by name, found from metadata alone, and the hooks of plugins."""

from huse_bench.discovery._calls import collect, notify
from huse_bench.discovery._component import Component, Kind, split_reference
from huse_bench.discovery._loading import examine, load, source_hash
from huse_bench.discovery._registry import components, find, inventory
from huse_bench.discovery._session import hooks_of, refresh
from huse_bench.discovery._trackers import TRACKER_HOOKS, Trackers
from huse_bench.discovery.hookspecs import hookimpl, hookspec

__all__ = [
    "TRACKER_HOOKS",
    "Component",
    "Kind",
    "Trackers",
    "collect",
    "components",
    "examine",
    "find",
    "hookimpl",
    "hooks_of",
    "hookspec",
    "inventory",
    "load",
    "notify",
    "refresh",
    "source_hash",
    "split_reference",
]
