"""The checks of GPUs as a part of docs/benchmarks.md."""

from tabulate import tabulate

_INTRODUCTION = """\
## On a GPU

{measured}

`python -m benchmarks.gpu`, in a checkout with `pip install -e '.[bench,cuda,test]'`, takes six minutes on one NVIDIA
GPU of compute capability 8.0 or later and writes `results/benchmarks/gpu/<card>.json`, which `python -m
benchmarks.render` puts here. It exits with 1 where anything is wrong or was stopped. Each stage is a process of its own
with its own limit, and the file is written anew after each, so that one that fails loses nothing of the others.
`--stages facts,timing` chooses, `--seconds` limits all of it, and `--dry-run --out FILE` tries all of it, small, on
the CPU. What each stage says:

- *facts*: packages and compilers that are missing; the card and its clocks; its *peaks*, which are the largest product
  of each precision and a copy as measured; what a launch and a wait of the host cost.
- *parity*: value and gradient of each loss beside plain torch in float64, in every precision, over dimensions and
  counts that are whole tiles, one more and one less; whether a second time gives the same bits; rankings with ties.
- *timing*: milliseconds of value and gradient, of our kernels, plain torch and `torch.compile`, each after a parity
  check; the peak of memory; and which share of the card's peaks the operations come to that are needed.
- *steps*: steps a second of whole trainings, by method, with steps repeated from a CUDA graph and launched one by one,
  how far both are from each other, and what keeps a method from being recorded; those of ten seeds at once beside one
  by itself; where in the code the host waits for the GPU; how many launches a step is, and how long the GPU is busy
  with it.
- *behaviour*: another stream, autocast, a gradient of one side alone, a second derivative, `torch.compile`, capture in
  a CUDA graph.
- *retrieval*: how far products are from scores, as a share of the bound that is taken for it; exact ranking, screened
  by these and with all pairs scored, beside a product and `topk`: in four directions, and for 16,384 queries of a
  million rows.
- *resources*: registers, spills and shared memory of every kernel for this card, by the Triton that is there; [another
  said this](kernels-aot.md).

Float32 is set against the faster of the float32 units and a third of the peak of fp16, since three products of tensor
cores make one of float32; other precisions against their own peak. With less precision pairs near a margin are counted
the other way, and another semi-hard negative is taken of those that are nearly as near: what may be timed is off by as
much as rounding the rows does to plain torch, and about twice that is refused (`LOOSE` in `benchmarks/losses.py`).

`pytest -n 8 tests/kernels/test_cuda_interpreter.py` runs the tests of the kernels on the GPU where there is one, and
`tox -e bench` times more sizes there. Where the machine with the GPU has no network, fetch what *facts* says is missing
elsewhere, with `pip download`; methods are found by the metadata of an installed huse-bench, so make a wheel of it too.
"""
_NONE = "**Nothing has been measured on a GPU yet**: the kernels have never run on one. What follows is how to."


def page(checks):
    """How GPUs are checked, and what was found, in Markdown."""
    introduction = _INTRODUCTION.format(measured="What was found is below, by card." if checks else _NONE)
    return "\n".join([introduction, *map(section, checks)])


def section(check):
    """What one check found."""
    versions = ", ".join(f"{name} {version}" for name, version in check.versions.items())
    lines = [f"### {check.card}", "", f"{check.date}; {versions}."]
    if check.dry_run:
        lines += ["", "**A dry run: nothing here was run on a GPU.**"]
    for name, stage in check.stages.items():
        lines += ["", f"#### {check.card}: {name}", "", f"{stage.outcome} after {stage.seconds:.0f} s."]
        if stage.failures:
            lines += ["", *(f"- {line}" for line in stage.failures)]
        for title, rows in stage.tables.items():
            lines += ["", f"{title}:", "", _table(rows)]
    return "\n".join(lines) + "\n"


def _table(rows):
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    return tabulate(cells, [column.replace("_", " ") for column in columns], tablefmt="pipe", disable_numparse=True)


def _cell(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
    return str(value).replace("|", "\\|")
