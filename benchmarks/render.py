"""Write docs/benchmarks.md and its figures from results/benchmarks/: ``python -m benchmarks.render``."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from tabulate import tabulate

from benchmarks.gpu import page as gpu_page
from benchmarks.gpu import record as gpu_record
from benchmarks.measuring import OURS
from benchmarks.record import FOLDER, Report
from benchmarks.table import milliseconds, ordered, ratio, share

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "benchmarks.md"
FIGURES = DOCS / "figures"
#: What the figure shows: the operation with the most sizes.
SHOWN = "graph_loss_and"
_COLOURS = {OURS: "#c1272d", "autograd": "#1f4e79", "numpy": "#6b8e23", "torch.compile": "#e69f00"}

_INTRODUCTION = """\
# Benchmarks

`tox -e bench` times the pairwise losses, ranking, HP@K and a training step beside what else computes them, in about
half an hour; `tox -e bench -- --quick` takes less than three minutes. Either prints one table and writes
`results/benchmarks/<machine>.json`; `python -m benchmarks.render` makes this page and its figures from those files.

How it is measured:

- No time without parity: every competitor must first give the value and the gradient that plain torch gives, within
  the tolerance of float32. One that does not fails the run.
- All competitors of an operation run side by side in one process, in rounds of alternating order, after a warm-up. A
  ratio is formed inside a round; its median and [quartiles] over the rounds are shown.
- On one thread the clock is the processor's, which other programs disturb least; on more it is the wall's. Threads
  that wait for each other while other programs run stand still for milliseconds at a time, so figures of two threads
  mean nothing from a busy machine; the JSON holds the load that there was.
- The CPU and CUDA kernels form the gradient in the forward, so forward and backward are to be compared together. The
  JSON holds both.
- *tuned* is the same ratio with an allocator that keeps freed memory (`MALLOC_MMAP_THRESHOLD_=4294967296
  MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=67108864`): plain torch spends up to half of its time on page faults
  otherwise, our kernels none.
- *products* is the share of our time that the matrix products alone take that no implementation in that precision can
  do without. For `graph_loss_and` these are the pairs of rows whose classes are within the margin, one by one.
- *MiB* is the peak of memory above what the process held before, of ours and of plain torch.
- What a margin excludes our kernels skip, so their time depends on the share that it does not: of class pairs for the
  graph loss, and *informative*, of the triplets of instances or the mismatched pairs, for AdaMine's and CME's. A
  training starts with nearly all of them informative and soon has few. The data are 101 classes.

The competitors: *autograd* is the formula in plain torch, *torch.compile* the same compiled, *numpy* has the gradient
by hand. pytorch-metric-learning has one of these operations, the cosine embedding (`ContrastiveLoss` over all pairs);
it has no graph loss, its miners refuse semi-hard negatives for all positives, and of AdaMine's triplets it enumerates
every one. For ranking, *torch* is a product and `topk` for 1,024 queries at a time, faiss is `IndexFlatIP`, and
scikit-learn `NearestNeighbors` by brute force; in-modal the latter two are asked for one neighbour more, the query
itself. All rank by float32; ours may rule pairs out by products in bfloat16 first, where a processor has fast ones,
so that its share of *products*, which are of float32, may be above 1. For HP@K, *plain Python* loops over queries and
items and asks sets, and *numpy* looks up a boolean table once for each K. For the training step, the *loop by hand*
is eager PyTorch with a DataLoader and autograd's graph loss.
"""


def page(reports, checks):
    """The text of docs/benchmarks.md, of reports of CPUs and checks of GPUs."""
    return "\n".join([_INTRODUCTION, *(_section(report) for report in reports), gpu_page.page(checks)])


def read(folder, model):
    """What was measured, by the names of the files."""
    return [model.model_validate_json(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def figure(report):
    """Time and memory of the competitors against the rows of the batch, in one panel each."""
    shown = sorted(
        (m for m in report.measurements if m.operation == SHOWN and m.threads == 1 and m.clock != "cuda events"),
        key=lambda m: m.rows,
    )
    dims = sorted({m.dim for m in shown})
    drawing = Figure(figsize=(4.4 * len(dims), 6.4), layout="constrained")
    panels = drawing.subplots(2, len(dims), squeeze=False, sharex="col", sharey="row")
    for column, dim in enumerate(dims):
        for name, colour in _COLOURS.items():
            entries = [(m.rows, m.entry(name)) for m in shown if m.dim == dim and m.entry(name)]
            style = {"color": colour, "label": name, "marker": "o", "linewidth": 2.4 if name == OURS else 1.4}
            times = [(rows, entry.total) for rows, entry in entries]
            panels[0][column].plot([rows for rows, _ in times], [total.median * 1e3 for _, total in times], **style)
            held = [(rows, max(entry.memory_mib, 1)) for rows, entry in entries if entry.memory_mib is not None]
            panels[1][column].plot([rows for rows, _ in held], [mib for _, mib in held], **style)
        rows = sorted({m.rows for m in shown if m.dim == dim})
        panels[0][column].set_title(f"D = {dim}")
        for panel in panels[:, column]:
            panel.set(xscale="log", yscale="log")
            panel.set_xticks(rows, [f"{count:,}" for count in rows])
            panel.minorticks_off()
            panel.grid(alpha=0.3)
        panels[1][column].set_xlabel("rows of the batch, M")
    panels[0][0].set_ylabel("value and gradient, ms")
    panels[1][0].set_ylabel("peak memory, MiB (1 at the least)")
    panels[0][0].legend(frameon=False)
    near = shown[0].facts["class_pairs_under_margin"]
    drawing.suptitle(f'Graph loss, reading "and", one thread\n{near:.0%} of class pairs under the margin')
    return drawing


def _section(report):
    here = report.machine
    lines = [
        f"\n## {report.name}",
        "",
        f"{here.processor}, {here.cpus} processors, {', '.join(here.flags)}; {report.date}; "
        + ", ".join(f"{name} {version}" for name, version in report.versions.items())
        + f"; BLAS {here.blas}"
        + ("." if here.load_before is None else f"; load before the run {here.load_before}.")
        + (" **A quick run: small data and few rounds, no figures to quote.**" if report.quick else ""),
        *(f"\nLeft out: {name}, {why}." for name, why in report.absent.items()),
        "",
        f"![Time and memory of the graph loss against the size of the batch](figures/benchmarks-{report.name}.svg)",
        "",
        "Times over ours, above 1 where ours is faster:",
        "",
        _table(report),
        "",
    ]
    return "\n".join(lines)


def _table(report):
    rows = []
    for measurement in ordered(report):
        ours, first = measurement.entry(OURS), measurement.entries[0]
        others = [entry for entry in measurement.entries[1:] if not entry.name.startswith(OURS)]
        variants = [entry for entry in measurement.entries if entry.name.startswith(f"{OURS} ")]
        facts = ", ".join(f"{name.replace('_', ' ')} {value:.2g}" for name, value in measurement.facts.items())
        rows.append(
            [
                f"`{measurement.operation}`" + (f"<br>{facts}" if facts else ""),
                f"{measurement.rows} x {measurement.dim}",
                "GPU" if measurement.clock == "cuda events" else measurement.threads,
                milliseconds(ours.total),
                f"{first.name} {ratio(first.ratio)}",
                "" if first.tuned_ratio is None else ratio(first.tuned_ratio),
                "<br>".join(f"{entry.name} {ratio(entry.ratio)}" for entry in variants + others),
                share(ours.bound_share),
                "" if ours.memory_mib is None else f"{ours.memory_mib:.0f} / {first.memory_mib:.0f}",
            ]
        )
    header = ["operation", "data", "threads", "ours", "plain", "tuned", "others", "products", "MiB"]
    return tabulate(rows, header, tablefmt="pipe", disable_numparse=True)


def main():
    reports = read(FOLDER, Report)
    if not reports:
        raise SystemExit(f"no results in {FOLDER}; make some with: tox -e bench")
    FIGURES.mkdir(exist_ok=True)
    # The same results must give the same file.
    mpl.rcParams["svg.hashsalt"] = "huse-bench"
    for report in reports:
        figure(report).savefig(FIGURES / f"benchmarks-{report.name}.svg", metadata={"Date": None})
    PAGE.write_text(page(reports, read(gpu_record.FOLDER, gpu_record.Check)), encoding="utf-8")
    print(f"written: {PAGE} and {len(reports)} figures in {FIGURES}")  # noqa: T201 - what the command says


if __name__ == "__main__":
    main()
