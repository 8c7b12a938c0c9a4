"""Which versions of distributions are installed."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version


def installed(distributions: Sequence[str]) -> dict[str, str]:
    """The versions of those that are installed, by name."""
    found = {}
    for name in distributions:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
