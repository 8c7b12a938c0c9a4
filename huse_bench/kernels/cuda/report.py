"""What the CUDA kernels take of a GPU, by the compiler: ``python -m huse_bench.kernels.cuda.report PAGE`` writes it.

No GPU is needed: the kernels are compiled ahead of time, and the registers are those of the machine code.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import click
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from huse_bench.errors import ConfigError, UsageError
from huse_bench.kernels.cuda import _keys, _pairs, _products, _triplet_tiles, relu_dropout
from huse_bench.kernels.cuda._screening import block_maxima_kernel
from huse_bench.kernels.cuda._tiles import DOT_PRECISION, OPTIONS, Tiling
from huse_bench.kernels.cuda.graph_loss import residuals_kernel
from huse_bench.kernels.cuda.mismatch_hinge import excess_kernel
from huse_bench.kernels.cuda.semihard_triplet import CONSTANTS, semihard_triplet_kernel

__all__ = ["CAPABILITIES", "CONFIGURATIONS", "Configuration", "Resources", "compiled", "page", "resources"]

#: Compute capabilities that are reported on: that of A100, and that of H100.
CAPABILITIES = (80, 90)

# What the kernels' arguments are at run time; the rest is known to the compiler.
_TYPES = {
    **dict.fromkeys(("blocks", "classes", "cuts", "ends", "needed", "others", "ranks", "reached", "starts"), "*i32"),
    **dict.fromkeys(("of_image", "of_own", "of_positives", "of_text", "of_to_image", "of_to_text"), "*i32"),
    **dict.fromkeys(("costs", "excess", "gradient", "instance_costs", "out", "own", "semantic_costs"), "*fp32"),
    **dict.fromkeys(("similarity", "slopes", "squares", "targets", "to_image", "to_positives", "to_text"), "*fp32"),
    **dict.fromkeys(("gallery", "of_columns", "of_rows", "queries", "upstream", "weights", "x", "y"), "*fp32"),
    **dict.fromkeys(("groups", "keys", "numbers"), "*i64"),
    **dict.fromkeys(("margin", "scale"), "fp32"),
}
# Whole numbers that are multiples of 16 at run time, where they are not 1.
_STRIDES = ("column_stride", "other_stride", "query_stride", "row_stride")


@dataclass(frozen=True)
class Configuration:
    """One of the programs that a kernel compiles to.

    Args:
        kernel: a function for Triton.
        constants: its arguments that are known when it is compiled.
        types: of arguments that are not of float32.
        options: the compiler's.
        tiling: where the kernel has one.
    """

    kernel: Any
    constants: Mapping[str, Any]
    types: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=OPTIONS.copy)
    tiling: Tiling | None = None


@dataclass(frozen=True)
class Resources:
    """What a compiled kernel takes.

    Args:
        registers: of a thread, at most 255.
        spills: bytes a thread keeps in memory for want of registers.
        shared: bytes of shared memory of a block.
    """

    registers: int
    spills: int
    shared: int


def _tiled(kernel: Any, tiling: Tiling, precision: str = "fp32", **constants: Any) -> Configuration:
    known = {**tiling.constants, "PRECISION": DOT_PRECISION[precision], **constants}
    rows = ("x", "y") if "x" in kernel.arg_names else ("queries", "others")
    return Configuration(
        kernel=kernel,
        constants={name: value for name, value in known.items() if name in kernel.arg_names},
        types=dict.fromkeys(rows, "*fp16" if precision == "fp16" else "*fp32"),
        options=tiling.options,
        tiling=tiling,
    )


def _paired(kernel: Any, tiling: Tiling, precision: str, **constants: Any) -> Configuration:
    tiled = _tiled(kernel, tiling, precision, SPLIT=precision == "fp32", **constants)
    rows = {"fp32": "*fp16", "tf32": "*fp32", "fp16": "*fp16"}[precision]
    operands = ("gallery", "images", "queries", "texts", "weights", "x")
    return replace(tiled, types=dict.fromkeys((*operands, *(f"{name}_low" for name in operands)), rows))


def _summed(dim: int, precision: str, *, listed: bool, **constants: Any) -> Configuration:
    tiling = _pairs.sums_tiling(Tiling.for_pairs(dim), precision, listed=listed)
    # The weights of pairs that are listed are residuals; the others are 0 or 1.
    return _paired(_pairs.pair_sums_kernel, tiling, precision, LISTED=listed, EXACT=not listed, **constants)


def _ranked(kernel: Any, tiling: Tiling, *, grouped: bool = False, **constants: Any) -> Configuration:
    constants = {**_keys.CONSTANTS, "EXCLUDE_SELF": grouped, "EXCLUDE_GROUP": grouped, **constants}
    split = "queries_low" in kernel.arg_names
    return (_paired if split else _tiled)(kernel, tiling, "fp32", **constants)


#: What is reported on, by name: kernel, precision and dimension, or what else its program depends on.
CONFIGURATIONS = {
    "graph loss residuals, fp32, 512": _paired(residuals_kernel, Tiling.for_pairs(512), "fp32", RELAXATION="and"),
    "graph loss residuals, tf32, 1024": _paired(residuals_kernel, Tiling.for_pairs(1024), "tf32", RELAXATION="hinge"),
    "graph loss residuals, fp16, 512": _paired(residuals_kernel, Tiling.for_pairs(512), "fp16", RELAXATION="or"),
    "mismatch excess, fp32, 64": _paired(excess_kernel, Tiling.for_pairs(64), "fp32"),
    "sums over pairs, fp32, 512": _summed(512, "fp32", listed=True, column_stride=1),
    "sums over pairs, tf32, 1024": _summed(1024, "tf32", listed=True, column_stride=1),
    "sums over pairs, fp16, 512": _summed(512, "fp16", listed=True, column_stride=1),
    "sums over pairs, fp32, 512, of excess": _summed(512, "fp32", listed=False, column_stride=1),
    "sums over pairs, fp32, 64, transposed": _summed(64, "fp32", listed=False, row_stride=1),
    "products, fp32, 512": _tiled(_products.products_kernel, Tiling.for_products(512)),
    "products, fp16, 64": _tiled(_products.products_kernel, Tiling.for_products(64), "fp16"),
    "weighted sums, fp32, 512": _tiled(_products.weighted_kernel, Tiling.for_products(512), column_stride=1),
    "weighted sums, fp16, 64, transposed": _tiled(
        _products.weighted_kernel, Tiling.for_products(64), "fp16", row_stride=1
    ),
    "semi-hard triplets": Configuration(semihard_triplet_kernel, CONSTANTS),
    "double triplet costs, images": Configuration(
        _triplet_tiles.sums_kernel, {**_triplet_tiles.SUMS, "other_stride": 1, "positive_count": 1}
    ),
    "double triplet costs, texts, all pairs": Configuration(
        _triplet_tiles.sums_kernel, {**_triplet_tiles.SUMS, "query_stride": 1}
    ),
    "double triplet slopes": Configuration(
        _triplet_tiles.slopes_kernel, {**_triplet_tiles.SLOPES, "positive_count": 1}
    ),
    "double triplet slopes, all pairs": Configuration(_triplet_tiles.slopes_kernel, _triplet_tiles.SLOPES),
    "ReLU and dropout": Configuration(relu_dropout.drop_kernel, {"BLOCK": relu_dropout.BLOCK, "BOUND": 2**31}),
    "ReLU and dropout, gradient": Configuration(relu_dropout.pass_back_kernel, {"BLOCK": relu_dropout.BLOCK}),
    "ranking, products, 512": _ranked(block_maxima_kernel, Tiling.for_pairs(512), BOTH=True),
    "ranking, products, 512, groups": _ranked(block_maxima_kernel, Tiling.for_pairs(512), grouped=True, BOTH=True),
    "ranking, products, 64, one side": _ranked(block_maxima_kernel, Tiling.for_pairs(64), BOTH=False),
    "ranking, scores of blocks, 512": _ranked(_keys.block_keys_kernel, Tiling.for_products(512)),
    "ranking, all scores, 512": _ranked(_keys.keys_kernel, Tiling.for_products(512)),
    "ranking, all scores, 512, groups": _ranked(_keys.keys_kernel, Tiling.for_products(512), grouped=True),
}


@cache
def compiled(name: str, capability: int) -> Any:
    """A configuration as Triton compiles it, for a compute capability such as 80."""
    configuration = CONFIGURATIONS[name]
    names, constants = configuration.kernel.arg_names, configuration.constants
    types = {**_TYPES, **configuration.types}
    signature = {name: "constexpr" if name in constants else types.get(name, "i32") for name in names}
    # As at run time, where torch's memory starts at multiples of 16 bytes.
    aligned = {
        (i,): [["tt.divisibility", 16]]
        for i, name in enumerate(names)
        if signature[name].startswith("*") or (name in _STRIDES and name not in constants)
    }
    return triton.compile(
        ASTSource(configuration.kernel, signature, constexprs=dict(constants), attrs=aligned),
        target=GPUTarget("cuda", capability, 32),
        options=dict(configuration.options),
    )


def resources(program: Any) -> Resources:
    """What a compiled kernel takes, read from its machine code by NVIDIA's cuobjdump, which Triton brings.

    Raises:
        ConfigError: where this Triton brings none.
    """
    folder = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    tool = shutil.which("cuobjdump", path=folder)
    if tool is None:
        raise ConfigError(f"there is no cuobjdump in {folder}; install triton from PyPI, for Linux: pip install triton")
    with tempfile.TemporaryDirectory() as scratch:
        cubin = Path(scratch) / "kernel.cubin"
        cubin.write_bytes(program.asm["cubin"])
        command = [tool, "--dump-resource-usage", str(cubin)]
        usage = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - no user input
    used = {key: int(value) for key, value in re.findall(r"(REG|STACK|SHARED|LOCAL):(\d+)", usage)}
    # The launch asks for the shared memory; the cubin itself may hold some more.
    return Resources(used["REG"], used["STACK"] + used["LOCAL"], program.metadata.shared + used["SHARED"])


def page() -> str:
    """The page of all configurations, in Markdown.

    Raises:
        ConfigError: where Triton cannot compile, or brings no cuobjdump.
    """
    if triton.knobs.runtime.interpret:
        raise ConfigError("TRITON_INTERPRET=1 turns the compiler off; unset it")
    rows = []
    for name in CONFIGURATIONS:
        for capability in CAPABILITIES:
            taken = resources(compiled(name, capability))
            cells = (name, f"sm_{capability}", taken.registers, taken.spills, f"{taken.shared / 1024:.1f}")
            rows.append("| " + " | ".join(map(str, cells)) + " |")
    return _PAGE.format(version=triton.__version__, rows="\n".join(rows))


_PAGE = """\
# What the CUDA kernels take of a GPU

**These kernels have never run on a GPU.** Their results are tested in Triton's interpreter, and they are compiled ahead
of time for GPUs that were not there. The interpreter knows no tf32 products: of those, only the machine code was looked
at. What the compiler says is below; how fast the kernels are nobody has measured, and [one
command](benchmarks.md#on-a-gpu) does where there is a GPU.

The graph loss and the mismatch hinge are two products each: one gives what each pair weighs in the gradient, the other
sums the rows by that. Float32 is had from float16 there, whose products tensor cores form twice as fast as those of
tf32: each number is split into two, and three products of these (two, where a weight is 0 or 1) come to the error of
float32 (in the interpreter, at 512 dimensions, a gradient is off by less than 3e-7 of its norm). Rows must be of
magnitudes that float16 has, as unit rows are. The weights of 2^28 pairs at most, or of 1,024 rows if these have more,
are in memory at once: 1 GiB.

Names say the kernel, the precision and the dimension of the rows, or what else the program depends on. Registers are
those of a thread, of 255; spills are bytes that a thread keeps in memory for want of registers; shared memory is that
of a block, of 163 KiB on sm_80 (A100) and 227 KiB on sm_90 (H100). All stay under 99 KiB, which every NVIDIA GPU of
compute capability 8.0 or later has.

Made with triton {version}. To make it again, without a GPU:

    python -m huse_bench.kernels.cuda.report docs/kernels-aot.md

| configuration | GPU | registers | spills | shared memory, KiB |
| --- | --- | ---: | ---: | ---: |
{rows}
"""


@click.command()
@click.argument("path", metavar="PAGE", type=click.Path(dir_okay=False, path_type=Path))
def main(path: Path) -> None:
    """Compile the CUDA kernels ahead of time and write what they take to PAGE, in Markdown."""
    try:
        text = page()
    except UsageError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
