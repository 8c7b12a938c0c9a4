"""Which backend a tensor gets, what is said when that is a slow one, and that triton is not imported in vain.

The CUDA tensors are torch's fake ones: a device, a type and a shape without values.
"""

import contextlib
import importlib.util
import subprocess
import sys
import warnings

import pytest
import torch
from torch._subclasses import FakeTensorMode

from huse_bench.errors import ConfigError
from huse_bench.kernels import _arguments, cosine_embedding, double_triplet, semihard_triplet
from huse_bench.kernels._arguments import backend_for

needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")


@pytest.fixture(autouse=True)
def _nothing_said_yet():
    _arguments._warn_once.cache_clear()


def cuda_rows(dtype=torch.float32):
    with FakeTensorMode():
        return torch.empty(4, 3, dtype=dtype, device="cuda")


@pytest.fixture
def gpu(monkeypatch):
    """Sets the compute capability that torch reports."""

    def report(*capability):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Some GPU")

    return report


@needs_triton
@pytest.mark.parametrize("backend", [None, "cuda"])
@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16"])
def test_cuda_tensors_get_the_cuda_backend(gpu, backend, precision):
    gpu(8, 0)
    assert backend_for(cuda_rows(), backend, precision) == "cuda"


@needs_triton
def test_the_backend_can_be_chosen(gpu):
    gpu(9, 0)
    assert backend_for(cuda_rows(), "reference") == "reference"
    assert backend_for(torch.empty(4, 3), "reference") == "reference"
    assert backend_for(torch.empty(4, 3), None) == "cpu"


def no_triton(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)


def old_triton(monkeypatch):
    triton = pytest.importorskip("triton")
    monkeypatch.setattr(triton, "__version__", "3.4.0")


def old_gpu(monkeypatch):
    pytest.importorskip("triton")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Some GPU")


OBSTACLES = [
    (no_triton, torch.float32, r"needs triton \(.*\); install it with: pip install 'huse-bench\[cuda\]'"),
    (old_triton, torch.float32, r"needs triton 3.5 or later, got 3.4.0; update it with: pip install 'huse-bench\[cuda"),
    (old_gpu, torch.float32, "needs an NVIDIA GPU of compute capability 8.0 or later, got Some GPU"),
    (lambda _: None, torch.float64, r"has no float64; convert the rows with .float\(\)"),
]


@pytest.mark.parametrize(("arrange", "dtype", "reason"), OBSTACLES)
def test_a_slow_backend_is_used_with_one_line_that_says_why(monkeypatch, arrange, dtype, reason):
    arrange(monkeypatch)
    rows = cuda_rows(dtype)
    with pytest.warns(
        UserWarning, match=f"a pairwise loss on cuda:0 runs as plain torch, .*: the CUDA backend {reason}"
    ):
        assert backend_for(rows, None) == "reference"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert backend_for(rows, None) == "reference"
    assert "\n" not in _arguments._cuda_obstacle(rows)


@pytest.mark.parametrize(("arrange", "dtype", "reason"), OBSTACLES)
def test_the_cuda_backend_that_was_asked_for_is_used_or_an_error(monkeypatch, arrange, dtype, reason):
    arrange(monkeypatch)
    with pytest.raises(
        ConfigError, match=rf"backend 'cuda' cannot be used: the CUDA backend {reason}.*leave backend out"
    ):
        backend_for(cuda_rows(dtype), "cuda")


def test_tensors_elsewhere_get_the_reference():
    with pytest.warns(
        UserWarning, match=r"on meta .*: the fast backends need tensors on the CPU or a CUDA device, got"
    ):
        assert backend_for(torch.empty(4, 3, device="meta"), None) == "reference"
    with pytest.raises(ConfigError, match=r"backend 'cuda' cannot be used: .* got one on cpu; leave backend out"):
        backend_for(torch.empty(4, 3), "cuda")


def test_a_ranking_is_not_called_a_loss():
    with pytest.warns(UserWarning, match=r"^a ranking on meta runs as plain torch, slow and large: the fast backends"):
        assert backend_for(torch.empty(4, 3, device="meta"), None, work="a ranking") == "reference"


def test_the_warning_points_to_the_caller(monkeypatch):
    no_triton(monkeypatch)
    # Beyond the warning, a torch without CUDA gives up.
    with FakeTensorMode(), contextlib.suppress(RuntimeError):
        rows = torch.empty(4, 3, device="cuda")
        with pytest.warns(UserWarning, match="needs triton") as caught:
            cosine_embedding(rows, rows, 0.1, 0.8)
    assert [warning.filename for warning in caught] == [__file__]


LOSSES = {
    "cosine_embedding": lambda rows, **options: cosine_embedding(rows, rows, 0.1, 0.8, **options),
    "double_triplet": lambda rows, **options: double_triplet(rows, rows, torch.arange(4), 0.3, 0.1, **options),
    "semihard_triplet": lambda rows, **options: semihard_triplet(rows, torch.arange(4), 0.3, **options),
}


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_precision_of_another_backend_is_an_error(name, backend):
    rows = torch.eye(4)
    with pytest.raises(
        ConfigError, match=r"precision 'fp16' is for the backend 'cuda', this one is '.*'; leave it out"
    ):
        LOSSES[name](rows, backend=backend, precision="fp16")
    with pytest.raises(ConfigError, match="precision must be one of fp32, tf32, fp16, got 'bf16'"):
        LOSSES[name](rows, backend=backend, precision="bf16")


def test_triton_is_not_imported_before_a_cuda_tensor_comes():
    code = (
        "import sys, torch; from huse_bench import kernels; x = torch.eye(4)\n"
        "kernels.cosine_embedding(x, x, 0.1, 0.8)\n"
        "assert 'triton' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
