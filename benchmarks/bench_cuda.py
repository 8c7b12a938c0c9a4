"""Time of the pairwise losses and of ranking on an NVIDIA GPU, beside plain torch and torch.compile there.

Each run is timed by CUDA events, after the GPU's L2 cache was overwritten. "of peak" sets the operations of the
products that are needed, and one reading of the rows and writing of their gradient, against the largest product of
that precision and the largest copy that the card itself was measured to do.
"""

import pytest
import torch

from benchmarks import losses, ranking
from benchmarks.gpu import card
from benchmarks.measuring import measure

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device"),
    # What a peer deprecates is the peer's business, and so is what torch.compile advises: it warns that TF32 is off.
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning", "ignore::FutureWarning", r"ignore::UserWarning:torch\._inductor"
    ),
]

FULL = [(rows, dim) for dim in (64, 512) for rows in (4096, 16_384)]
QUICK = [(4096, 512)]


def pytest_generate_tests(metafunc):
    metafunc.parametrize(("rows", "dim"), QUICK if metafunc.config.getoption("quick") else FULL)


@pytest.fixture(scope="module")
def peaks(effort):
    return card.peaks(effort)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_cuda(keep, effort, peaks, name, rows, dim):
    case = losses.case(name, rows, dim, ["torch.compile"], "cuda", ("tf32", "fp16"))
    measurement = measure(case, effort).completed(card.memory(case), None)
    shares = {
        f"{words}_{what}": share
        for words, of in card.shares(measurement, case, peaks).items()
        for what, share in of.items()
    }
    keep(measurement.model_copy(update={"facts": measurement.facts | shares}), case)


def test_cuda_ranking(keep, effort, rows, dim):
    case = ranking.case(rows, dim, 1.0, (), "cuda")
    keep(measure(case, effort).completed(card.memory(case), None), case)
