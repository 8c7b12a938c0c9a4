"""Names that more than one distribution provides."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from huse_bench.discovery._component import Component

__all__ = ["conflict_message", "mark_conflicts"]


def conflict_message(components: Sequence[Component]) -> str:
    """Who provides the name that these components share, and how to ask for one of them."""
    first = components[0]
    providers = " and by ".join(f"{each.distribution}=={each.version} ({each.target})" for each in components)
    message = f"{first.kind} {first.name!r} is provided by {providers}. "
    distributions = sorted({each.distribution for each in components})
    if len(distributions) == 1:
        return message + f"Ask the authors of {distributions[0]} to rename one, or uninstall it"
    qualified = " or ".join(f"'{distribution}::{first.name}'" for distribution in distributions)
    return message + f"Ask for {qualified}, or switch one off with HUSE_BENCH_DISABLE_PLUGINS"


def mark_conflicts(components: Iterable[Component]) -> list[Component]:
    """The components sorted by kind, name and distribution, those that share a name marked as in conflict."""
    providers: dict[tuple[str, str], list[Component]] = defaultdict(list)
    # One distribution may name the same class twice, by an entry point and by a hook: that is one component.
    unique = sorted(set(components), key=lambda each: (each.kind, each.name, each.distribution, each.target))
    for component in unique:
        if component.status != "disabled":
            providers[component.kind, component.name].append(component)
    return [
        replace(component, status="conflict", error=conflict_message(sharing))
        if component.status == "available" and len(sharing := providers[component.kind, component.name]) > 1
        else component
        for component in unique
    ]
