"""The CUDA kernels, compiled ahead of time for GPUs that are not here: no spills, and shared memory that all have."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

if importlib.util.find_spec("triton") is None:
    pytest.skip("triton is not installed", allow_module_level=True)
if os.environ.get("TRITON_INTERPRET") == "1":
    pytest.skip("TRITON_INTERPRET=1 turns the compiler off", allow_module_level=True)

import torch
import triton
from click.testing import CliRunner

from huse_bench.kernels.cuda import report
from huse_bench.kernels.cuda._pairs import Operand, spans, sums_tiling
from huse_bench.kernels.cuda._tiles import Tiling, padded
from huse_bench.kernels.cuda.report import CAPABILITIES, CONFIGURATIONS, compiled, resources

TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
if shutil.which("ptxas", path=TOOLS) is None or shutil.which("cuobjdump", path=TOOLS) is None:
    pytest.skip("this triton has no ptxas or no cuobjdump", allow_module_level=True)

# Shared memory that a block may have on the smallest GPU of compute capability 8.0 or later (8.6, 8.9, 12.0).
SHARED = 99 * 1024
PAGE = Path(__file__).parents[2] / "docs" / "kernels-aot.md"


@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_registers_suffice_and_shared_memory_is_what_every_gpu_has(name, capability):
    taken = resources(compiled(name, capability))
    assert 0 < taken.registers <= 255
    assert taken.spills == 0
    assert 0 <= taken.shared <= SHARED


def test_spills_and_shared_memory_are_those_of_the_machine_code(tmp_path):
    # A function for ptxas whose use is known: an array of 64 bytes a thread, 1000 bytes a block.
    source = tmp_path / "kernel.ptx"
    source.write_text("""
        .version 8.0
        .target sm_80
        .address_size 64
        .shared .align 4 .b8 block[1000];
        .visible .entry kernel(.param .u64 out, .param .u32 at)
        {
            .local .align 4 .b8 thread[64];
            .reg .b32 %r<5>;
            .reg .b64 %d<5>;
            ld.param.u64 %d1, [out];
            ld.param.u32 %r1, [at];
            mov.u64 %d2, thread;
            cvt.u64.u32 %d3, %r1;
            add.u64 %d4, %d2, %d3;
            st.local.u32 [%d4], %r1;
            ld.local.u32 %r2, [thread];
            st.volatile.shared.u32 [block], %r2;
            ld.volatile.shared.u32 %r3, [block+4];
            st.global.u32 [%d1], %r3;
            ret;
        }
    """)
    cubin = tmp_path / "kernel.cubin"
    subprocess.run([TOOLS / "ptxas", "-arch=sm_80", source, "-o", cubin], check=True)

    class Program:
        asm = {"cubin": cubin.read_bytes()}  # noqa: RUF012 - stands for what the compiler gives
        metadata = type("", (), {"shared": 24})

    taken = resources(Program)
    assert taken.spills >= 64
    assert taken.shared == 1024


@pytest.mark.parametrize(
    ("name", "operands", "similarity_products", "gradient_products"),
    [
        # Three products of less precision make one of float32, and two where one side is 0 or 1.
        ("graph loss residuals, fp32, 512", "f16", 3, 0),
        ("graph loss residuals, tf32, 1024", "tf32", 1, 0),
        ("graph loss residuals, fp16, 512", "f16", 1, 0),
        ("sums over pairs, fp32, 512", "f16", 0, 3),
        ("sums over pairs, fp32, 512, of excess", "f16", 0, 2),
        ("sums over pairs, tf32, 1024", "tf32", 0, 1),
        ("sums over pairs, fp16, 512", "f16", 0, 1),
        ("products, fp32, 512", "tf32", 3, 0),
        ("products, fp16, 64", "f16", 1, 0),
        ("ranking, products, 512", "f16", 3, 0),
        ("ranking, all scores, 512", "f64", 1, 0),
    ],
)
def test_tensor_cores_multiply_what_the_precision_says(name, operands, similarity_products, gradient_products):
    program = compiled(name, 80)
    products = re.findall(r"mma\.sync\.aligned\.m(\d+)n(\d+)k(\d+)\.row\.col\.f\d+\.(\w+\.\w+)\.f", program.asm["ptx"])
    assert {types for *_, types in products} == {f"{operands}.{operands}"}
    multiplied = sum(int(m) * int(n) * int(k) for m, n, k, _ in products) * program.metadata.num_warps
    tiling = CONFIGURATIONS[name].tiling
    similarity = tiling.rows * tiling.columns * tiling.step
    gradient = tiling.rows * tiling.step * tiling.chunk
    assert multiplied == similarity_products * similarity + gradient_products * gradient


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_a_score_is_summed_by_one_instruction_whichever_way_it_is_asked_for(capability):
    programs = [compiled(f"ranking, {kind}, 512", capability).asm for kind in ("all scores", "scores of blocks")]
    (one,), (other,) = (set(re.findall(r"(?:mma|fma)[\w.]*f64[\w.]*", program["ptx"])) for program in programs)
    assert one == other
    assert one.startswith("mma.sync.")
    # How the numbers of a row are dealt out to it.
    dealt = [set(re.findall(r"kWidth = \d+", program["ttgir"])) for program in programs]
    assert dealt[0] == dealt[1]


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_products_that_screen_are_summed_a_step_at_a_time(capability):
    # The bound says so. A compiler that sees `tile + dot(a, b)` makes it one sum of tensor cores.
    loop = compiled("ranking, products, 512", capability).asm["ttgir"].partition("scf.for")[2]
    ((total, addends),) = re.findall(r"(%\w+) = arith\.addf (.*?) :", loop.partition("scf.yield")[0])
    assert re.search(r"iter_args\((%\w+) = ", loop)[1] in addends.split(", ")
    assert re.search(r"scf\.yield (%\w+),", loop)[1] == total


def table(page):
    """The cells of the table, by configuration and GPU."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]
    return {(name, gpu): cells for name, gpu, *cells in rows[2:]}


def test_the_page_of_the_docs_lists_the_configurations():
    page = PAGE.read_text(encoding="utf-8")
    listed = table(page)
    assert list(listed) == [(name, f"sm_{capability}") for name in CONFIGURATIONS for capability in CAPABILITIES]
    if f"triton {triton.__version__}." in page:
        for name, capability in (("semi-hard triplets", 80), ("ranking, all scores, 512", 90)):
            taken = resources(compiled(name, capability))
            cells = [str(taken.registers), str(taken.spills), f"{taken.shared / 1024:.1f}"]
            assert listed[name, f"sm_{capability}"] == cells


def test_the_command_writes_the_page(tmp_path, monkeypatch):
    name = "ranking, all scores, 512"
    monkeypatch.setattr(report, "CONFIGURATIONS", {name: CONFIGURATIONS[name]})
    page = tmp_path / "page.md"
    done = CliRunner().invoke(report.main, [str(page)])
    assert done.exit_code == 0, done.output
    taken = resources(compiled(name, 90))
    text = page.read_text(encoding="utf-8")
    assert f"| {name} | sm_90 | {taken.registers} | 0 | {taken.shared / 1024:.1f} |\n" in text
    assert len(table(text)) == 2


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("path", "there is no cuobjdump in .*; install triton from PyPI"),
        ("compiler", "TRITON_INTERPRET=1 turns the compiler off; unset it"),
    ],
)
def test_the_command_says_what_it_misses(tmp_path, monkeypatch, missing, message):
    if missing == "path":
        monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    else:
        monkeypatch.setenv("TRITON_INTERPRET", "1")
    page = tmp_path / "page.md"
    done = CliRunner().invoke(report.main, [str(page)])
    assert done.exit_code == 2
    assert re.search(message, done.output)
    assert not page.exists()


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", "float32"), ("tf32", "float32"), ("fp16", "float16")])
@pytest.mark.parametrize("shape", [(1, 1), (64, 256), (65, 300)])
def test_rows_are_laid_out_in_whole_tiles(shape, precision, dtype):
    rows = torch.rand(shape).half().float()
    tiling = Tiling.for_products(shape[1])
    whole = padded(rows, tiling, precision)
    assert whole.dtype == getattr(torch, dtype)
    assert_laid_out(whole, rows, tiling)


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", "float16"), ("tf32", "float32"), ("fp16", "float16")])
@pytest.mark.parametrize("shape", [(1, 1), (128, 128), (129, 300)])
def test_rows_of_pairs_are_laid_out_in_whole_tiles(shape, precision, dtype):
    rows = torch.rand(shape).half().float()
    tiling = Tiling.for_pairs(shape[1])
    operand = Operand.of(rows, tiling, precision)
    assert operand.high.dtype == getattr(torch, dtype)
    assert_laid_out(operand.high, rows, tiling)
    assert tiling.columns % sums_tiling(tiling, precision, listed=True).step == 0


def assert_laid_out(whole, rows, tiling):
    assert torch.equal(whole[: len(rows), : rows.shape[1]].float(), rows)
    assert float(whole.double().sum()) == pytest.approx(float(rows.double().sum()))
    blocks, chunks = tiling.grid(len(rows))
    assert whole.shape == (blocks * tiling.rows, chunks * tiling.chunk)
    assert tiling.rows % tiling.columns == 0
    assert rows.shape[1] <= tiling.dim <= tiling.width


def test_two_numbers_of_float16_are_one_of_float32():
    # Of all magnitudes that a number of a unit row has.
    rows = torch.rand(64, 128, generator=torch.Generator().manual_seed(0)) * 10.0 ** -torch.arange(64)[:, None]
    operand = Operand.of(rows, Tiling.for_pairs(128), "fp32")
    joined = operand.high[:64].double() + operand.low[:64].double() / 2048
    # 22 bits of a number, or as much as float16 keeps of what is beside 1.
    assert bool(((joined - rows).abs() <= rows * 2.0**-22 + 2.0**-36).all())


@pytest.mark.parametrize(("count", "expected"), [(128, [128]), (2**17 + 128, [2048 - 128] * 68 + [640])])
def test_the_weights_of_so_many_pairs_are_in_memory_at_once(count, expected):
    tiling = Tiling.for_pairs(8)
    sizes = [span.stop - span.start for span in spans(count, tiling)]
    assert sizes == expected
    assert all(size * count <= 2**28 and size % tiling.rows == 0 for size in sizes)
