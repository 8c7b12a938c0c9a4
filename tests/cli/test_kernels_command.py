"""``huse-bench kernels``: what it says of this machine, and that its check notices a wrong backend."""

import json
import sys

import pytest
import torch
from click.testing import CliRunner

from huse_bench.cli import _kernel_checks
from huse_bench.cli._kernel_checks import Check, _compare, backends
from huse_bench.cli.kernels import _tables, kernels
from huse_bench.kernels import top_k

OPERATIONS = [
    *(f"graph_loss {relaxation}" for relaxation in ("and", "or", "hinge", "none")),
    "semihard_triplet",
    "double_triplet",
    "cosine_embedding",
    "top_k",
    "top_k_directions",
]


def test_every_operation_of_the_cpu_is_checked():
    result = CliRunner().invoke(kernels, ["--json"])
    assert result.exit_code == 0, result.output
    assert "checking each backend" in result.stderr
    said = json.loads(result.stdout)
    states = {backend["name"]: backend for backend in said["backends"]}
    assert list(states) == ["reference", "cpu", "cuda"]
    assert states["cpu"]["available"]
    assert "numba" in states["cpu"]["details"]
    assert torch.__version__ in states["reference"]["details"]
    checks = [check for check in said["checks"] if check["backend"] == "cpu"]
    assert [check["operation"] for check in checks] == OPERATIONS
    for check in checks:
        assert check["passed"]
        assert check["skipped"] is None
        assert 0 <= check["difference"] < 1e-3
        assert check["ratio"] > 0


def test_the_tables_say_what_is_missing_and_how_to_get_it():
    if torch.cuda.is_available():
        pytest.skip("nothing is missing where there is a CUDA device")
    text = _tables(
        backends(),
        [
            Check("top_k", "cpu", passed=True, difference=1.23e-7, ratio=4.56),
            Check("double_triplet", "cuda", passed=True, skipped="no kernel of it"),
        ],
    )
    lines = [line.split() for line in text.splitlines()]
    assert ["top_k", "cpu", "ok", "1.2e-07", "4.6x"] in lines
    assert ["double_triplet", "cuda", "skipped"] in lines
    assert "skipped: cuda double_triplet: no kernel of it" in text
    assert "\ncpu        available  numba" in text
    assert "\ncuda       MISSING    torch" in text
    assert ("pip install 'huse-bench[cuda]'" if torch.version.cuda is None else "nvidia-smi") in text
    assert "WRONG" not in text


def test_a_wrong_backend_is_noticed(monkeypatch):
    backends = sys.modules["huse_bench.kernels.semihard_triplet"]._BACKENDS
    right = backends["cpu"]
    # All of the value and half of the gradient.
    monkeypatch.setitem(backends, "cpu", lambda *given: (right(*given) + right(*given).detach()) / 2)
    monkeypatch.setattr(_kernel_checks, "top_k", lambda *given: (top_k(*given)[0], top_k(*given)[1].flip(0)))
    result = CliRunner().invoke(kernels)
    assert result.exit_code == 1
    wrong = [line.split()[0] for line in result.stdout.splitlines() if " WRONG " in line]
    assert wrong == ["semihard_triplet", "top_k"]
    assert "please report it" in result.stdout


@pytest.mark.parametrize(
    ("value", "gradient", "passed"),
    [(1, 1, True), (1.001, 1, False), (1, 1.02, False), (torch.nan, 1, False), (1, torch.nan, False)],
)
def test_value_and_gradient_must_both_agree(value, gradient, passed):
    right, found = (torch.ones(()), torch.ones(5)), (torch.ones(()) * value, torch.ones(5) * gradient)
    assert _compare("loss", "cpu", lambda: found, lambda: right).passed is passed
