"""Measured numbers beside a paper's, as text for below the tables and as values for other programs."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from itertools import groupby

import tabulate

from huse_bench.measures import DIRECTION_TITLES
from huse_bench.report.markdown import markdown_escaped
from huse_bench.report.words import WIDTH
from huse_bench.results.agreement import Lead, Ordering, Verdict, incomparable, leads, orderings, verdicts
from huse_bench.results.published import Published
from huse_bench.results.statistics import LEVEL
from huse_bench.results.tables import Results

__all__ = [
    "agreement_document",
    "agreement_text",
    "leads_said",
    "nothing_said",
    "orderings_said",
    "verdict_number",
    "verdicts_said",
]

# Makes a table of rows and headers.
_Table = Callable[[Sequence[Sequence[str]], Sequence[str]], str]

_NO_SCORES = "no interval where a run has no per-query scores, or where resamples have all methods alike"


def agreement_text(results: Results, published: Published, markdown: bool = False) -> str:
    """Verdicts on each number that can be compared, how alike the orders of the methods are, and who leads.

    Where the data, features or splits are others, that is said once, in place of the verdicts.

    Args:
        results: the runs.
        published: the tables of a paper.
        markdown: write Markdown's tables in place of a terminal's.

    Returns:
        Paragraphs and tables, without a newline at the end.
    """
    found = verdicts(results, published)
    if not found:
        return nothing_said(published)
    table = _markdown_table if markdown else _text_table
    parts = verdicts_said(results, published, found)
    if not incomparable(results, published):
        parts.insert(1, _verdict_table(found, table))
    orders = orderings(results, published)
    parts += [orderings_said(results, orders), *_order_tables(orders, table)]
    leading = leads(results, published)
    parts += [leads_said(leading), _leads_table(leading, table)] if leading else []
    return "\n\n".join(
        part if "\n" in part else markdown_escaped(part) if markdown else textwrap.fill(part, WIDTH) for part in parts
    )


def agreement_document(results: Results, published: Published) -> dict[str, object]:
    """The same as JSON values, with every verdict.

    Args:
        results: the runs.
        published: the tables of a paper.

    Returns:
        The ``source``, why values are ``incomparable``, the ``verdicts``, the ``orderings`` and the ``leads``.
    """
    return {
        "source": published.source,
        "incomparable": incomparable(results, published),
        "verdicts": [asdict(verdict) for verdict in verdicts(results, published)],
        "orderings": [asdict(ordering) for ordering in orderings(results, published)],
        "leads": [asdict(lead) for lead in leads(results, published)],
    }


def nothing_said(published: Published) -> str:
    """What is said where no method of a paper has numbers here."""
    return f"No method of {published.source} has numbers here, so there is nothing to compare with it."


def verdicts_said(results: Results, published: Published, found: Sequence[Verdict]) -> list[str]:
    """Paragraphs about the verdicts: what is compared, or why nothing can be, and what came out.

    Args:
        results: the runs.
        published: the tables of a paper.
        found: the verdicts.

    Returns:
        The first one stands above the verdicts, the others below; it is alone where there is nothing to compare.
    """
    reasons = incomparable(results, published)
    if reasons:
        return [f"Values here and in {published.source} are not comparable: {'; '.join(reasons)}."]
    intervals = "Means with 95 % intervals over seeds, the printed number, and whether it lies within"
    return [f"Beside {published.source}. {intervals}.", *_reasons(found)]


def verdict_number(verdict: Verdict, share: float) -> str:
    """A share as the verdict's table prints it."""
    return f"{100 * share:.1f}" if verdict.table == "table3" else f"{share:.3f}"


def _text_table(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    return tabulate.tabulate(rows, headers, tablefmt="simple", disable_numparse=True)


def _markdown_table(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    escaped = [[markdown_escaped(cell) for cell in row] for row in rows]
    return tabulate.tabulate(escaped, headers, tablefmt="pipe", disable_numparse=True)


def _verdict_table(found: Sequence[Verdict], table: _Table) -> str:
    rows: list[list[str]] = []
    ordered = sorted(found, key=lambda verdict: verdict.table)
    for (_, label, task), group in groupby(ordered, key=lambda v: (v.table, v.label, v.task)):
        rows.extend([label, DIRECTION_TITLES.get(task, task.capitalize()), v.metric, *_cells(v)] for v in group)
    headers = ["Method", "", "", "here", "95 % interval", "printed", "verdict"]
    return table(rows, headers)


def _cells(verdict: Verdict) -> list[str]:
    low, high = verdict.low, verdict.high
    number = partial(verdict_number, verdict)
    interval = "-" if low is None or high is None else f"{number(low)} to {number(high)}"
    return [number(verdict.ours), interval, number(verdict.theirs), verdict.outcome]


def _reasons(found: Sequence[Verdict]) -> list[str]:
    counts = {outcome: sum(v.outcome == outcome for v in found) for outcome in ("agrees", "differs", "not comparable")}
    lines = [", ".join(f"{count} {outcome}" for outcome, count in counts.items()) + "."]
    by_reason: dict[str, list[str]] = {}
    for verdict in found:
        if verdict.reason:
            labels = by_reason.setdefault(verdict.reason, [])
            labels += [] if verdict.label in labels else [verdict.label]
    return lines + [f"Not comparable: {reason} ({', '.join(labels)})." for reason, labels in by_reason.items()]


def orderings_said(results: Results, found: Sequence[Ordering]) -> str:
    """What is asked of the orders of the methods, and how seldom chance would answer so.

    Args:
        results: the runs.
        found: the orders by column.

    Returns:
        A paragraph.
    """
    if all(ordering.tau is None for ordering in found):
        return "Fewer than three methods are in both, so their orders cannot be compared."
    several = any(len(row.finished) > 1 for row in results.rows)
    items = f"{results.records[0].dataset.drawn} of test items"
    drawn = f"seeds and {items}" if several else f"{items}, as there is but one seed"
    defined = [ordering for ordering in found if ordering.tau is not None]
    unlikely = _columns(sum(o.p_value is not None and o.p_value < LEVEL for o in defined), len(defined))
    few, many = (pick(len(ordering.methods) for ordering in found) for pick in (min, max))
    count = f"{few} to {many}" if few < many else str(few)
    known = all(ordering.low is not None for ordering in defined)
    interval = f"95 % interval by a bootstrap of {drawn}" if known else _NO_SCORES
    return (
        f"Do the {count} methods that both have stand in the same order? Kendall's tau by column: 1 for the same "
        f"order, -1 for the reverse, 0 for no relation; {interval}. The printed order is taken as it is. p: the share "
        f"of all orders of the methods that are as much like it, which is below {LEVEL} in {unlikely}."
    )


def _order_tables(found: Sequence[Ordering], table: _Table) -> list[str]:
    if all(ordering.tau is None for ordering in found):
        return []
    retrieval = [ordering for ordering in found if ordering.metric != "accuracy"]
    accuracies = [ordering for ordering in found if ordering.metric == "accuracy"]
    tables = []
    if retrieval:
        rows = [
            [metric, *(_tau(ordering) for ordering in group)]
            for metric, group in _by_metric(retrieval, list(dict.fromkeys(o.task for o in retrieval)))
        ]
        tasks = dict.fromkeys(DIRECTION_TITLES[ordering.task] for ordering in retrieval)
        tables.append(table(rows, ["", *tasks]))
    if accuracies:
        headers = ["", *(ordering.task.capitalize() for ordering in accuracies)]
        row = ["accuracy", *(_tau(ordering) for ordering in accuracies)]
        tables.append(table([row], headers))
    return tables


def leads_said(found: Sequence[Lead]) -> str:
    """Who leads the columns, printed and measured.

    Args:
        found: the leaders of each column; one at least.

    Returns:
        A paragraph.
    """
    printed = list(dict.fromkeys(label for lead in found for label in lead.printed))
    lines = []
    for label in printed:
        own = [lead for lead in found if label in lead.printed]
        alone = sum(lead.measured == (label,) for lead in own)
        among = sum(label in lead.measured for lead in own) - alone
        lines.append(
            f"{label}, the printed best of {len(own)}: alone in {alone}, one of several in {among}, "
            f"behind in {len(own) - alone - among}"
        )
    about = (
        "Here: all that may be the best, no other of them being significantly better, the largest mean first"
        if all(lead.tested for lead in found)
        else "Here: the largest mean; differences were not tested, for that takes two seeds with per-query scores"
    )
    count = "1 column" if len(found) == 1 else f"{len(found)} columns"
    return f"Who leads the {count}, of the methods that both have? {'; '.join(lines)}. {about}."


def _leads_table(found: Sequence[Lead], table: _Table) -> str:
    rows = [
        [
            DIRECTION_TITLES.get(lead.task, lead.task.capitalize()),
            lead.metric,
            ", ".join(lead.printed),
            ", ".join(lead.measured),
        ]
        for lead in found
    ]
    return table(rows, ["", "", "printed", "here"])


def _columns(some: int, count: int) -> str:
    """How many of all columns, in words."""
    return f"{some or 'none'} of {count} column{'' if count == 1 else 's'}"


def _p_value(value: float) -> str:
    return f"{value:.2f}".removeprefix("0") if value >= 0.01 else "<.01"


def _by_metric(found: Sequence[Ordering], tasks: Sequence[str]) -> list[tuple[str, list[Ordering | None]]]:
    lookup = {(ordering.metric, ordering.task): ordering for ordering in found}
    metrics = dict.fromkeys(ordering.metric for ordering in found)
    return [(metric, [lookup.get((metric, task)) for task in tasks]) for metric in metrics]


def _tau(ordering: Ordering | None) -> str:
    if ordering is None or ordering.tau is None:
        return "-"
    chance = "" if ordering.p_value is None else f" p {_p_value(ordering.p_value)}"
    if ordering.low is None or ordering.high is None:
        return f"{ordering.tau:+.2f}{chance}"
    return f"{ordering.tau:+.2f} [{ordering.low:+.2f}, {ordering.high:+.2f}]{chance}"
