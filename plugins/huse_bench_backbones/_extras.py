"""Import of the optional packages that backbones need."""

from importlib import import_module
from typing import Any

from huse_bench import errors

__all__ = ["require"]


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
