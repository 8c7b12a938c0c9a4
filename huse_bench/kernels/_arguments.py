"""Checks of the pairwise losses' arguments, and the choice of a backend."""

import math
from typing import Literal

import torch
from torch import Tensor

from huse_bench.errors import ConfigError

__all__ = ["Backend", "backend_for", "check_labels", "check_number", "check_one_of", "check_rows", "full_precision"]

#: ``"cpu"`` is fast and for tensors on the CPU, ``"reference"`` is plain torch autograd and for any device.
Backend = Literal["cpu", "reference"]


def backend_for(rows: Tensor, backend: str | None) -> str:
    """The backend asked for, by default the fastest for the tensor's device.

    Raises:
        ConfigError: for an unknown backend, or one that cannot use the tensor.
    """
    on_cpu = rows.device.type == "cpu"
    if backend is None:
        return "cpu" if on_cpu else "reference"
    check_one_of("backend", backend, ("cpu", "reference"))
    if backend == "cpu" and not on_cpu:
        raise ConfigError(f"backend 'cpu' needs tensors on the CPU, got one on {rows.device}; leave backend out")
    return backend


def full_precision(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors in their common floating-point type, float32 at the least."""
    wide = torch.float32
    for tensor in tensors:
        wide = torch.promote_types(wide, tensor.dtype)
    return tuple(tensor.to(wide) for tensor in tensors)


def check_rows(**tensors: Tensor) -> None:
    """Raises ConfigError unless all tensors are floating-point matrices of one shape with a row at least."""
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name, tensor in tensors.items():
        if tensor.ndim != 2 or tensor.shape[0] == 0 or tensor.shape[1] == 0:
            raise ConfigError(f"{name} must be a matrix of unit rows, at least (1, 1), got shape {shapes[name]}")
        if not tensor.is_floating_point():
            raise ConfigError(f"{name} must be floating point, got {tensor.dtype}; convert it with {name}.float()")
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ConfigError(f"row i of each must belong to item i, so the shapes must be equal, got {listed}")


def check_labels(labels: Tensor, rows: Tensor, classes: int | None = None) -> None:
    """Raises ConfigError unless there is one int64 label a row, in [0, classes) where classes is given."""
    if labels.shape != rows.shape[:1]:
        raise ConfigError(f"labels must be one a row, shape ({len(rows)},), got shape {tuple(labels.shape)}")
    if labels.dtype != torch.int64:
        raise ConfigError(f"labels must be int64, got {labels.dtype}; convert them with labels.long()")
    if classes is None:
        return
    outside = (labels < 0) | (labels >= classes)
    if bool(outside.any()):
        row = int(outside.nonzero()[0, 0])
        raise ConfigError(
            f"labels must be in [0, {classes}), the classes that distances has; labels[{row}] is {int(labels[row])}"
        )


def check_number(low: float = -math.inf, high: float = math.inf, **numbers: float) -> None:
    """Raises ConfigError for the first number that is not finite or not in [low, high]."""
    for name, number in numbers.items():
        if not (math.isfinite(number) and low <= number <= high):
            limits = "" if low == -math.inf else f" of at least {low}" if high == math.inf else f" in [{low}, {high}]"
            raise ConfigError(f"{name} must be a finite number{limits}, got {number}")


def check_one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raises ConfigError when the value is none of those allowed."""
    if value not in allowed:
        raise ConfigError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
