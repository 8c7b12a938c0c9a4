"""What this machine's backends of the kernels are, and whether they are right."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from typing import get_args

import numba
import torch
from torch import Tensor
from torch.nn.functional import normalize

from huse_bench.errors import ConfigError
from huse_bench.kernels import cosine_embedding, double_triplet, graph_loss, semihard_triplet, top_k, top_k_directions
from huse_bench.kernels._arguments import Backend, backend_for
from huse_bench.kernels.graph_loss import Relaxation

__all__ = ["BackendState", "Check", "backends", "checks"]

# A few rows must do where the compiler is switched off.
_INTERPRETED: bool = numba.config.DISABLE_JIT  # type: ignore[attr-defined]  # numba sets it when imported
_DIM, _CLASSES, _MARGIN, _K, _ROUNDS = 64, 20, 0.5, 10, 3
# Of values; and of gradients, where in float32 a few pairs may fall on the other side of an indicator.
_VALUE, _GRADIENT = 1e-4, 1e-2

Outcome = tuple[Tensor, ...]


@dataclass(frozen=True)
class BackendState:
    """A backend, and why it is not there where it is not."""

    name: str
    available: bool
    details: str


@dataclass(frozen=True)
class Check:
    """An operation of a backend beside the reference; ``skipped`` says why it was not run."""

    operation: str
    backend: str
    passed: bool
    difference: float | None = None
    ratio: float | None = None
    skipped: str | None = None


def backends() -> list[BackendState]:
    """Every backend, whether this machine has it or not."""
    return [_reference(), _cpu(), _cuda()]


def _reference() -> BackendState:
    return BackendState("reference", available=True, details=f"plain torch {torch.__version__}, for every device")


def _cpu() -> BackendState:
    blas = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
    compiler = "DISABLED by NUMBA_DISABLE_JIT: very slow, unset it" if _INTERPRETED else "compiling"
    return BackendState(
        "cpu",
        available=True,
        details=f"numba {numba.__version__} ({compiler}), BLAS {blas[1] if blas else 'unknown'}, "
        f"{torch.backends.cpu.get_cpu_capability()}, threads: {torch.get_num_threads()} (OMP_NUM_THREADS)",
    )


def _cuda() -> BackendState:
    missing = partial(BackendState, "cuda", available=False)
    if torch.version.cuda is None:
        return missing(
            details=f"torch {torch.__version__} is built without CUDA; on a machine with an NVIDIA GPU install a CUDA "
            "build (https://pytorch.org/get-started/locally), then: pip install 'huse-bench[cuda]'"
        )
    if not torch.cuda.is_available():
        return missing(
            details="torch finds no CUDA device; `nvidia-smi` must list one, and CUDA_VISIBLE_DEVICES must not hide it"
        )
    try:
        backend_for(torch.zeros(1, 1, device="cuda"), "cuda")
    except ConfigError as error:
        return missing(details=str(error))
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return BackendState("cuda", available=True, details=f"triton {_version('triton')} on {', '.join(names)}")


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "of unknown version"


def checks(backend: BackendState) -> Iterator[Check]:
    """Each operation of a backend beside plain torch, on a little data."""
    if not backend.available or backend.name == "reference":
        return
    device = "cuda" if backend.name == "cuda" else "cpu"
    generator = torch.Generator().manual_seed(0)
    rows = 64 if _INTERPRETED and device == "cpu" else 768
    labels = torch.randint(_CLASSES, (rows,), generator=generator)
    centres = torch.randn(_CLASSES, _DIM, generator=generator)
    x = normalize(centres[labels] + torch.randn(rows, _DIM, generator=generator), dim=1).to(device)
    names = normalize(torch.randn(_CLASSES, 8, generator=generator), dim=1)
    for name, (fast, plain) in _operations(
        x, labels.to(device), (1 - names @ names.T).to(device), backend.name
    ).items():
        try:
            yield _compare(name, backend.name, fast, plain)
        except ConfigError as error:
            yield Check(name, backend.name, passed=True, skipped=str(error))


def _operations(
    x: Tensor, labels: Tensor, distances: Tensor, backend: str
) -> dict[str, tuple[Callable[[], Outcome], Callable[[], Outcome]]]:
    """Each operation on the backend, and in plain torch."""
    half = len(x) // 2

    def graph(relaxation: Relaxation, rows: Tensor, backend: Backend) -> Tensor:
        return graph_loss(rows, labels, distances, _MARGIN, relaxation, backend=backend)

    def semihard(rows: Tensor, backend: Backend) -> Tensor:
        return semihard_triplet(rows, labels, _MARGIN, backend=backend)

    def double(rows: Tensor, backend: Backend) -> Tensor:
        return double_triplet(rows[:half], rows[half:], labels[:half], _MARGIN, 0.1, backend=backend)

    def cosine(rows: Tensor, backend: Backend) -> Tensor:
        return cosine_embedding(rows[:half], rows[half:], 0.1, 0.8, backend=backend)

    losses: dict[str, Callable[..., Tensor]] = {
        **{f"graph_loss {relaxation}": partial(graph, relaxation) for relaxation in get_args(Relaxation)},
        "semihard_triplet": semihard,
        "double_triplet": double,
        "cosine_embedding": cosine,
    }
    operations: dict[str, tuple[Callable[[], Outcome], Callable[[], Outcome]]] = {
        name: (partial(_step, loss, x, backend), partial(_step, loss, x, "reference")) for name, loss in losses.items()
    }
    operations["top_k"] = (lambda: top_k(x[:half], x[half:], _K), lambda: _ranked(x[:half], x[half:]))
    operations["top_k_directions"] = (
        lambda: top_k_directions(x[:half], x[half:], _K)["t2i"],
        lambda: _ranked(x[half:], x[:half]),
    )
    return operations


def _step(loss: Callable[[Tensor, str], Tensor], x: Tensor, backend: str) -> Outcome:
    leaf = x.clone().requires_grad_()
    value = loss(leaf, backend)
    value.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    assert leaf.grad is not None
    return value.detach(), leaf.grad


def _ranked(queries: Tensor, gallery: Tensor) -> Outcome:
    values, indices = (queries.double() @ gallery.double().T).sort(dim=1, descending=True, stable=True)
    return values[:, :_K].float(), indices[:, :_K]


def _compare(operation: str, backend: str, fast: Callable[[], Outcome], plain: Callable[[], Outcome]) -> Check:
    (value, more), (expected, expected_more) = fast(), plain()
    difference = _relative(value, expected)
    if more.is_floating_point():
        apart = _relative(more, expected_more)
        passed = difference <= _VALUE and apart <= _GRADIENT
        difference = max(difference, apart)
    else:
        passed = difference <= _VALUE and bool((more == expected_more).float().mean() > 1 - _GRADIENT)
    ratios = [_seconds(plain) / _seconds(fast) for _ in range(_ROUNDS)]
    return Check(operation, backend, passed, difference, median(ratios))


def _relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm().clamp(min=1e-12))


def _seconds(work: Callable[[], Outcome]) -> float:
    start = time.perf_counter()
    outcome = work()
    if outcome[0].is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start
