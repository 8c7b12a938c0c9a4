"""What the backends share: their types, checks of the pairwise losses' arguments, and the choice of a backend."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Literal

import torch
from packaging.version import Version
from torch import Tensor

from huse_bench.errors import ConfigError

__all__ = [
    "Backend",
    "Precision",
    "Ranking",
    "backend_for",
    "check_distances",
    "check_labels",
    "check_number",
    "check_one_of",
    "check_rows",
    "full_precision",
    "unchecked",
    "values_are_checked",
]

#: ``"cpu"`` and ``"cuda"`` are fast and for tensors there, ``"reference"`` is plain torch autograd and for any device.
Backend = Literal["cpu", "cuda", "reference"]
#: How the CUDA backend multiplies: in float32, on tensor cores by three products; or, faster, in less.
Precision = Literal["fp32", "tf32", "fp16"]
#: Values and gallery indices (n, k) of the k best of n queries.
Ranking = tuple[Tensor, Tensor]

_OLDEST_TRITON = "3.5"
_CHECKED = ContextVar("_CHECKED", default=True)


@contextmanager
def unchecked() -> Iterator[None]:
    """Leave out the checks of values, each of which waits for the device; for arguments like ones that were checked.

    Shapes and types are checked all the same. Within it, and on a GPU, the pairwise losses wait for nothing, so that
    they can be captured in a CUDA graph; the double triplet with ``"all"`` pairs alone cannot. So do rankings there, of
    which all pairs are then scored.

    Examples:
        >>> import torch
        >>> from huse_bench import kernels
        >>> rows, distances = torch.eye(2), torch.tensor([[0.0, 0.5], [0.5, 0.0]])
        >>> with kernels.unchecked():
        ...     kernels.graph_loss(rows, torch.tensor([0, 1]), distances, margin=0.7, relaxation="none")
        tensor(0.1250)
    """
    token = _CHECKED.set(False)
    try:
        yield
    finally:
        _CHECKED.reset(token)


def values_are_checked() -> bool:
    """Whether the checks of values are to be made, which wait for the device."""
    return _CHECKED.get()


def backend_for(
    rows: Tensor, backend: str | None, precision: str = "fp32", *, work: str = "a pairwise loss", between: int = 0
) -> str:
    """The backend asked for, by default the fastest for the tensor; warns once of each reason for a slow one.

    Args:
        rows: (N, D) what is compared, in the type that it is computed in.
        backend: the backend asked for.
        precision: the precision asked for, which must be fp32 unless the backend is "cuda".
        work: what is done with the rows, as a warning calls it.
        between: how many functions stand between the public one, whose caller is warned, and this.

    Raises:
        ConfigError: for an unknown backend or precision, or one that cannot be used.
    """
    device = rows.device.type
    check_one_of("precision", precision, ("fp32", "tf32", "fp16"))
    if backend is not None:
        check_one_of("backend", backend, ("cpu", "cuda", "reference"))
    if backend == "cpu" and device != "cpu":
        raise ConfigError(f"backend 'cpu' needs tensors on the CPU, got one on {rows.device}; leave backend out")
    chosen = backend or "cpu"
    if backend == "cuda" or (backend is None and device != "cpu"):
        obstacle = _cuda_obstacle(rows)
        if obstacle and backend == "cuda":
            raise ConfigError(f"backend 'cuda' cannot be used: {obstacle}; leave backend out")
        if obstacle:
            _warn_once(f"{work} on {rows.device} runs as plain torch, slow and large: {obstacle}", between)
        chosen = "reference" if obstacle else "cuda"
    if precision != "fp32" and chosen != "cuda":
        raise ConfigError(f"precision {precision!r} is for the backend 'cuda', this one is {chosen!r}; leave it out")
    return chosen


def _cuda_obstacle(rows: Tensor) -> str | None:
    """Why the CUDA backend cannot use the tensor; None where it can."""
    if rows.device.type != "cuda":
        return f"the fast backends need tensors on the CPU or a CUDA device, got one on {rows.device}"
    if rows.dtype == torch.float64:
        return "the CUDA backend has no float64; convert the rows with .float()"
    try:
        import triton  # noqa: PLC0415 - only who has a CUDA tensor pays for the import
    except ImportError as error:
        return f"the CUDA backend needs triton ({error}); install it with: pip install 'huse-bench[cuda]'"
    if Version(triton.__version__) < Version(_OLDEST_TRITON):
        return (
            f"the CUDA backend needs triton {_OLDEST_TRITON} or later, got {triton.__version__}; "
            "update it with: pip install 'huse-bench[cuda]'"
        )
    if torch.version.hip is not None or torch.cuda.get_device_capability(rows.device) < (8, 0):
        name = torch.cuda.get_device_name(rows.device)
        return f"the CUDA backend needs an NVIDIA GPU of compute capability 8.0 or later, got {name}"
    return None


@lru_cache
def _warn_once(message: str, between: int) -> None:
    # The caller of the public function: above are this one, backend_for, what is between, and that function.
    warnings.warn(message, stacklevel=4 + between)


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
    if classes is None or not values_are_checked():
        return
    outside = (labels < 0) | (labels >= classes)
    if bool(outside.any()):
        row = int(outside.nonzero()[0, 0])
        raise ConfigError(
            f"labels must be in [0, {classes}), the classes that distances has; labels[{row}] is {int(labels[row])}"
        )


def check_distances(distances: Tensor) -> int:
    """The number of classes; raises ConfigError unless the distances are a symmetric floating-point matrix of them."""
    shape = tuple(distances.shape)
    if distances.ndim != 2 or shape[0] != shape[1]:
        raise ConfigError(f"distances must be square, one row and one column a class, got shape {shape}")
    if not distances.is_floating_point():
        raise ConfigError(f"distances must be floating point, got {distances.dtype}; convert with distances.float()")
    if not values_are_checked():
        return shape[0]
    gap = (distances - distances.T).abs()
    if not bool((gap <= 1e-4).all()):
        a, b = (int(i) for i in (gap.nan_to_num(nan=torch.inf) > 1e-4).nonzero()[0])
        there, back = float(distances[a, b]), float(distances[b, a])
        raise ConfigError(f"distances must be symmetric and finite, got {there} from class {a} to {b}, {back} back")
    return shape[0]


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
