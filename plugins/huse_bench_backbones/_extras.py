"""The optional packages that backbones and trackers need."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from huse_bench import errors

__all__ = ["check", "require"]


def check(component: str, extra: str, packages: Mapping[str, str]) -> None:
    """Make sure that optional packages are installed, without the time that importing them takes.

    Args:
        component: who needs them, for the message.
        extra: the extra of huse-bench that installs them.
        packages: the distribution that provides a module, by the module's name.

    Raises:
        MissingExtraError: if one is not installed.
    """
    for module, package in packages.items():
        if find_spec(module) is None:
            raise errors.MissingExtraError(component, extra, package)


def require(module: str, component: str, extra: str, package: str) -> Any:
    """Import a module of an optional package.

    Args:
        module: dotted name to import.
        component: who needs it, for the message.
        extra: the extra of huse-bench that installs it.
        package: the distribution that provides it.

    Returns:
        The module.

    Raises:
        MissingExtraError: if the package, or one that it needs itself, is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise errors.MissingExtraError(component, extra, package) from error
