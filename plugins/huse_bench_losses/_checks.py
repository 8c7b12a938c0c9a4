"""Checks of hyper-parameters that several losses share."""

from huse_bench import errors

__all__ = ["above_zero", "at_least_zero", "one_of", "share"]


def at_least_zero(**values: float) -> None:
    """Raises ConfigError for the first value that is negative or not a number."""
    for name, value in values.items():
        if not value >= 0:
            raise errors.ConfigError(f"{name} must be at least 0, got {value}")


def above_zero(**values: float) -> None:
    """Raises ConfigError for the first value that is not above zero."""
    for name, value in values.items():
        if not value > 0:
            raise errors.ConfigError(f"{name} must be above 0, got {value}")


def share(**values: float) -> None:
    """Raises ConfigError for the first value outside [0, 1]."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise errors.ConfigError(f"{name} must be between 0 and 1, got {value}")


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raises ConfigError when the value is none of those allowed."""
    if value not in allowed:
        raise errors.ConfigError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
