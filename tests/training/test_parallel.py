"""Several processes that share each batch train as one process with the whole of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from huse_bench.discovery import components
from huse_bench.errors import ConfigError
from huse_bench.kernels.relu_dropout import drawn_keys
from huse_bench.training import parallel
from huse_bench.training.model import Tower
from huse_bench.training.parallel import Part

WORKER = Path(__file__).with_name("parallel_worker.py")
METHODS = sorted(component.name for component in components("loss") if component.distribution == "huse-bench")

# 17 pairs are 8 and 9 of two processes, and 5, 6 and 6 of three.
BATCH = 17


def work(folder, processes):
    folder.mkdir()
    launch = [] if processes == 0 else ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    subprocess.run(
        [sys.executable, *launch, WORKER, folder, str(BATCH), *METHODS],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=500,
    )
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return work(tmp_path_factory.mktemp("alone") / "of", 0)


@pytest.fixture(scope="module", params=[1, 2, 3])
def shared(request, tmp_path_factory):
    return request.param, work(tmp_path_factory.mktemp("shared") / "of", request.param)


def test_all_built_in_methods_are_tried():
    assert len(METHODS) == 16


@pytest.mark.parametrize("name", METHODS)
def test_losses_gradients_and_shares_are_those_of_one_process(alone, shared, name):
    processes, folder = shared
    gradients = load_file(alone / f"{name}-float32-0.safetensors")
    facts = json.loads((alone / f"{name}-float32-0.json").read_text())
    for rank in range(processes):
        found = load_file(folder / f"{name}-float32-{rank}.safetensors")
        assert found.keys() == gradients.keys()
        for key, gradient in gradients.items():
            torch.testing.assert_close(found[key], gradient, rtol=1e-5, atol=1e-6)
        said = json.loads((folder / f"{name}-float32-{rank}.json").read_text())
        for step, losses in enumerate(facts["losses"]):
            assert said["losses"][step] == pytest.approx(losses, rel=1e-5, abs=1e-6)
        for term, shares in facts["shares"].items():
            assert said["shares"][term] == pytest.approx(shares, abs=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_all_processes_end_with_the_same_bits(shared, name):
    processes, folder = shared
    ends = [json.loads((folder / f"{name}-float32-{rank}.json").read_text()) for rank in range(processes)]
    assert all(end == ends[0] for end in ends)


def test_in_low_precision_the_mask_is_that_of_the_whole_batch(alone, shared):
    _, folder = shared
    one, other = (json.loads((place / "huse-bfloat16-0.json").read_text()) for place in (alone, folder))
    # Products of other shapes round otherwise; another mask would differ by tenths.
    np.testing.assert_allclose(other["weights"], one["weights"], atol=0.02)
    assert other["losses"][0] == pytest.approx(one["losses"][0], rel=0.02)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_tower_drops_of_parts_what_it_drops_of_the_whole(dtype):
    tower = Tower(5, 12, 4, 3, 0.4, unit=False).to(dtype)
    tower.requires_grad_(requires_grad=False)
    x, keys = torch.randn(7, 5, dtype=dtype), drawn_keys(3)
    whole = tower.outputs(x, keys)[0]
    parts = [
        tower.outputs(x[part.start : part.stop], keys, part)[0]
        for part in (Part(0, 2, 7), Part(2, 4, 7), Part(4, 7, 7))
    ]
    # Products of other shapes round otherwise; another mask would differ by tenths.
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0.02, atol=0.02 if dtype == torch.bfloat16 else 1e-6)
    assert float((tower.outputs(x, drawn_keys(3))[0] - whole).abs().max()) > 0.1


def test_one_process_has_the_whole_batch():
    assert parallel.processes() == 1
    assert parallel.part_of(5) is None
    gradients = [torch.ones(2), torch.ones(3)]
    assert all(one is other for one, other in zip(parallel.summed(gradients), gradients, strict=True))


@given(st.integers(1, 40), st.integers(1, 8))
def test_parts_cover_the_batch_and_differ_by_one_row_at_most(rows, size):
    if rows < size:
        with pytest.raises(ConfigError, match=f"{size} processes share each batch, and training.batch_size = {rows} "):
            parallel.divided(rows, size)
        return
    parts = parallel.divided(rows, size)
    assert [row for part in parts for row in range(part.start, part.stop)] == list(range(rows))
    lengths = {part.stop - part.start for part in parts}
    assert max(lengths) - min(lengths) <= 1
    assert {part.whole for part in parts} == {rows}
