"""Distributions from which a method's hyper-parameters are tuned: ``space`` of a loss, by name."""

from dataclasses import dataclass

__all__ = ["Choice", "Distribution", "LogUniform", "Uniform"]


@dataclass(frozen=True)
class Uniform:
    """Values spread evenly between two bounds.

    Args:
        low: smallest value.
        high: largest value.

    Raises:
        ValueError: if ``low`` is not below ``high``.

    Examples:
        >>> Uniform(0.0, 0.7)
        Uniform(low=0.0, high=0.7)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"Uniform needs low < high, got low={self.low}, high={self.high}")


@dataclass(frozen=True)
class LogUniform:
    """Values whose logarithm is spread evenly between two positive bounds.

    Args:
        low: smallest value, above zero.
        high: largest value.

    Raises:
        ValueError: if not ``0 < low < high``.

    Examples:
        As likely from 0.1 to 1 as from 1 to 10:

        >>> LogUniform(0.1, 10)
        LogUniform(low=0.1, high=10)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high:
            raise ValueError(f"LogUniform needs 0 < low < high, got low={self.low}, high={self.high}")


@dataclass(frozen=True, init=False)
class Choice:
    """One of a few named values.

    Args:
        options: the values, at least two.

    Raises:
        ValueError: if fewer than two options are given.

    Examples:
        >>> Choice("and", "or").options
        ('and', 'or')
    """

    options: tuple[str | int | float | bool, ...]

    def __init__(self, *options: str | float | bool) -> None:
        if len(options) < 2:
            raise ValueError(f"Choice needs at least two options, got {options!r}")
        object.__setattr__(self, "options", options)


Distribution = Uniform | LogUniform | Choice
