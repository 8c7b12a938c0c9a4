"""Finding a component by its name."""

from huse_bench.discovery._component import GROUPS, Component, Kind, canonical
from huse_bench.discovery._conflicts import conflict_message
from huse_bench.discovery._session import session, sound_session
from huse_bench.errors import PluginConflictError, UnknownComponentError, UsageError
from huse_bench.hints import among

__all__ = ["components", "find", "inventory"]


def components(kind: Kind | None = None) -> list[Component]:
    """The losses, backbones, datasets and trackers that installed distributions provide; none of them is imported.

    Args:
        kind: which kind; all kinds by default.

    Returns:
        Their records, sorted by kind, name and distribution.

    Raises:
        UsageError: if the kind or an environment variable is not understood.
        PluginLoadError: if a hook plugin is broken and ``HUSE_BENCH_STRICT_PLUGINS`` is 1.
    """
    if kind is not None and kind not in GROUPS:
        raise UsageError(f"no kind of component is called {kind!r}{among(kind, GROUPS)}")
    return [component for component in sound_session().components if kind in (None, component.kind)]


def inventory() -> list[Component]:
    """Everything that is installed: all components, then the hook plugins, the broken ones with what is wrong.

    Raises:
        UsageError: if an environment variable is not understood.
    """
    found = session()
    return [*found.components, *found.hook_plugins]


def find(kind: Kind, name: str) -> Component:
    """The record of one component; it is not imported.

    Args:
        kind: ``"loss"``, ``"backbone"``, ``"dataset"`` or ``"tracker"``.
        name: its name, or ``distribution::name`` where two distributions provide it; case, ``-`` and ``_``
            make no difference.

    Raises:
        UnknownComponentError: if no distribution provides it, or the one that does is switched off.
        PluginConflictError: if more than one distribution provides it.
        UsageError: if the kind or an environment variable is not understood.
        PluginLoadError: if a hook plugin is broken and ``HUSE_BENCH_STRICT_PLUGINS`` is 1.
    """
    known = components(kind)
    distribution, qualified, plain = name.rpartition("::")
    named = [each for each in known if each.name == canonical(plain)]
    if qualified:
        named = [each for each in named if each.distribution == canonical(distribution)]
    usable = [each for each in named if each.status != "disabled"]
    if len(usable) > 1:
        raise PluginConflictError(conflict_message(usable))
    if usable:
        return usable[0]
    if named:
        raise UnknownComponentError(f"{named[0].label} is {named[0].error}. Change that variable to use it")
    if not known:
        raise UnknownComponentError(
            f"no {kind} is named {name!r}: no {kind} is installed. Install huse-bench itself (in a checkout: "
            "pip install -e .), which brings the built-in ones"
        )
    names = [f"{each.distribution}::{each.name}" if qualified else each.name for each in known]
    raise UnknownComponentError(f"no {kind} is named {name!r}{among(name, names)}")
