"""The CUDA kernels, compiled ahead of time for GPUs that are not here: no spills, and shared memory that all have."""

import importlib.util
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

if importlib.util.find_spec("triton") is None:
    pytest.skip("triton is not installed", allow_module_level=True)
if os.environ.get("TRITON_INTERPRET") == "1":
    pytest.skip("TRITON_INTERPRET=1 turns the compiler off", allow_module_level=True)

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from huse_bench.kernels.cuda._tiles import DOT_PRECISION, Tiling, padded
from huse_bench.kernels.cuda.graph_loss import graph_loss_kernel
from huse_bench.kernels.cuda.mismatch_hinge import mismatch_hinge_kernel

TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
if shutil.which("ptxas", path=TOOLS) is None or shutil.which("cuobjdump", path=TOOLS) is None:
    pytest.skip("this triton has no ptxas or no cuobjdump", allow_module_level=True)

# Shared memory that a block may have on the smallest GPU of compute capability 8.0 or later (8.6, 8.9, 12.0).
SHARED = 99 * 1024
# What the kernels' arguments are at run time; the rest is known to the compiler.
TYPES = {
    "classes": "*i32",
    "targets": "*fp32",
    "others": "*i32",
    "reached": "*i32",
    "gradient": "*fp32",
    "squares": "*fp32",
    "excess": "*fp32",
    "margin": "fp32",
    "row_count": "i32",
    "class_count": "i32",
    "column_blocks": "i32",
}
CONFIGURATIONS = {
    "graph loss, fp32, 512": (graph_loss_kernel, {"x": "*fp32"}, {"RELAXATION": "and"}, "fp32", 512),
    "graph loss, tf32, 1024": (graph_loss_kernel, {"x": "*fp32"}, {"RELAXATION": "hinge"}, "tf32", 1024),
    "graph loss, bf16, 512": (graph_loss_kernel, {"x": "*bf16"}, {"RELAXATION": "and"}, "bf16", 512),
    "mismatch hinge, fp32, 64": (mismatch_hinge_kernel, {"queries": "*fp32", "others": "*fp32"}, {}, "fp32", 64),
}


def compiled(kernel, types, constants, precision, dim, capability):
    tiling = Tiling.for_rows(dim, precision)
    constants = {**tiling.constants, **constants, "PRECISION": DOT_PRECISION[precision]}
    types = {**TYPES, **types}
    signature = {name: "constexpr" if name in constants else types[name] for name in kernel.arg_names}
    # As at run time, where torch's memory starts at multiples of 16 bytes.
    aligned = {
        (i,): [["tt.divisibility", 16]] for i, name in enumerate(kernel.arg_names) if signature[name].startswith("*")
    }
    return triton.compile(
        ASTSource(kernel, signature, constexprs=constants, attrs=aligned),
        target=GPUTarget("cuda", capability, 32),
        options=tiling.options,
    )


@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_registers_suffice_and_shared_memory_is_what_every_gpu_has(name, capability, tmp_path, monkeypatch):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))
    start = time.perf_counter()
    program = compiled(*CONFIGURATIONS[name], capability)
    assert time.perf_counter() - start < 60

    cubin = tmp_path / "kernel.cubin"
    cubin.write_bytes(program.asm["cubin"])
    usage = subprocess.run(
        [TOOLS / "cuobjdump", "--dump-resource-usage", cubin], capture_output=True, text=True, check=True
    ).stdout
    used = {key: int(value) for key, value in re.findall(r"(REG|STACK|SHARED|LOCAL):(\d+)", usage)}
    assert 0 < used["REG"] <= 255
    assert used["STACK"] == used["LOCAL"] == 0, f"registers spill: {used}"
    # The launch asks for the shared memory; the cubin itself may hold some more.
    assert 0 < program.metadata.shared + used["SHARED"] <= SHARED


@pytest.mark.parametrize(
    ("name", "operands", "similarity_products", "gradient_products"),
    [
        # Three products make one of float32. As they are chained, the eight warps split the rows of a tile alone;
        # each takes 16, so that 64 rows are done twice.
        ("graph loss, fp32, 512", "tf32", 6, 3),
        ("graph loss, tf32, 1024", "tf32", 1, 1),
        ("graph loss, bf16, 512", "bf16", 1, 1),
    ],
)
def test_tensor_cores_multiply_what_the_precision_says(name, operands, similarity_products, gradient_products):
    program = compiled(*CONFIGURATIONS[name], 80)
    products = re.findall(r"mma\.sync\.aligned\.m(\d+)n(\d+)k(\d+)\.row\.col\.f32\.(\w+\.\w+)\.f32", program.asm["ptx"])
    assert {types for *_, types in products} == {f"{operands}.{operands}"}
    multiplied = sum(int(m) * int(n) * int(k) for m, n, k, _ in products) * program.metadata.num_warps
    tiling = Tiling.for_rows(CONFIGURATIONS[name][4], CONFIGURATIONS[name][3])
    similarity = tiling.rows * tiling.columns * tiling.step
    gradient = tiling.rows * tiling.columns * tiling.chunk
    assert multiplied == similarity_products * similarity + gradient_products * gradient


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", "float32"), ("tf32", "float32"), ("bf16", "bfloat16")])
@pytest.mark.parametrize("shape", [(1, 1), (64, 256), (65, 300)])
def test_rows_are_laid_out_in_whole_tiles(shape, precision, dtype):
    rows = torch.rand(shape).bfloat16().float()
    tiling = Tiling.for_rows(shape[1], precision)
    whole = padded(rows, tiling, precision)
    assert whole.dtype == getattr(torch, dtype)
    assert torch.equal(whole[: shape[0], : shape[1]].float(), rows)
    assert float(whole.double().sum()) == pytest.approx(float(rows.double().sum()))
    blocks, chunks = tiling.grid(shape[0])
    assert whole.shape == (blocks * tiling.rows, chunks * tiling.chunk)
    assert tiling.rows % tiling.columns == 0
    assert shape[1] <= tiling.dim <= tiling.width
