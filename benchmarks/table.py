"""The measurements of a run as one table for the terminal."""

from itertools import zip_longest

from tabulate import tabulate

from benchmarks.measuring import OURS

_MEANING = """\
Times are medians over rounds in which all ran side by side; "x ours" is a competitor's time over ours, [quartiles].
Processor time on 1 thread, wall clock on more. The gradient of our losses is formed in the forward: compare the totals.
"products": the share of our time that the matrix products alone take that no implementation can do without.
"tuned": the ratio with an allocator that keeps freed memory. "memory": peak above what was held before."""


def facts(report):
    """The machine and the versions, in a few lines."""
    here = report.machine
    load = "" if here.load_before is None else f"; load {here.load_before} before"
    lines = [
        f"{here.processor}, {here.cpus} cpus, {' '.join(here.flags)}; {here.system}{load}; {report.date}",
        *(f"GPU: {name}" for name in here.gpus),
        f"BLAS {here.blas}, torch for {here.torch_capability}; "
        + ", ".join(f"{name} {version}" for name, version in report.versions.items()),
        *(f"left out: {name}, {why}" for name, why in report.absent.items()),
        *(["QUICK RUN: small data, few rounds; no figures to quote"] if report.quick else []),
        "",
        _MEANING,
    ]
    return "\n".join(lines)


def ordered(report):
    """The measurements by operation, threads and size, operations as they came."""
    operations = [measurement.operation for measurement in report.measurements]
    return sorted(report.measurements, key=lambda m: (operations.index(m.operation), m.threads, m.dim, m.rows))


def table(report):
    """One line a competitor, those of a measurement together."""
    rows = []
    for measurement in ordered(report):
        size = [measurement.operation, f"{measurement.rows}x{measurement.dim}", str(measurement.threads)]
        remarks = [f"· {name.replace('_', ' ')} {value:.3g}" for name, value in measurement.facts.items()]
        lines = [_cells(entry) for entry in sorted(measurement.entries, key=lambda entry: entry.name != OURS)]
        lines += [[""] * len(lines[0])] * (1 + len(remarks) - len(lines))
        for first, line in zip_longest([size, *([remark, "", ""] for remark in remarks)], lines):
            rows.append([*(first or [""] * 3), *line])
    header = ["operation", "data", "threads", "", "forward", "backward", "total", "x ours", "tuned", "products", "MiB"]
    return tabulate(rows, header, tablefmt="simple", disable_numparse=True, colalign=["left"] * 4 + ["right"] * 7)


def _cells(entry):
    return [
        entry.name,
        milliseconds(entry.seconds.get("forward")),
        milliseconds(entry.seconds.get("backward")),
        milliseconds(entry.total),
        ratio(entry.ratio),
        ratio(entry.tuned_ratio),
        share(entry.bound_share),
        "" if entry.memory_mib is None else f"{entry.memory_mib:.0f}",
    ]


def milliseconds(spread):
    """As ``12.3 ms``."""
    if spread is None:
        return ""
    value = spread.median * 1e3
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"


def ratio(spread):
    """As ``4.2 [4.1, 4.4]``."""
    return "" if spread is None else f"{spread.median:.3g} [{spread.low:.3g}, {spread.high:.3g}]"


def share(spread):
    """As ``61%``."""
    return "" if spread is None else f"{spread.median:.0%}"
