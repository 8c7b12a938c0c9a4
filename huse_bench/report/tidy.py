"""Tables as one row per number, at full precision, for other programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd

from huse_bench.report.agreement import agreement_document
from huse_bench.report.notes import hp_notes, notes
from huse_bench.report.shown import ShownTable
from huse_bench.results.consistency import flagged_cells
from huse_bench.results.intervals import CellUncertainty
from huse_bench.results.layout import TELLS_NOTHING, cannot_miss
from huse_bench.results.published import Published
from huse_bench.results.tables import Results

__all__ = ["csv_text", "document", "json_text", "numbers"]


def csv_text(rows: Iterable[dict[str, object]]) -> str:
    """Comma-separated values with a line of headings; a missing value is empty.

    ``low`` and ``high`` are the ends of the 95 % interval, ``ties_with_best`` whether the number may be the best of
    its column, no other being significantly better, ``rank_low`` and ``rank_high`` the ends of its rank's interval.

    Args:
        rows: of :func:`numbers`.

    Returns:
        The text, without a newline at its end.
    """
    frame = pd.DataFrame(rows)
    frame["seeds"] = frame["seeds"].map(lambda seeds: " ".join(str(seed) for seed in seeds))
    # Whole numbers stay whole beside missing ones.
    frame = frame.astype({"rank_low": "Int64", "rank_high": "Int64"})
    return frame.to_csv(index=False, lineterminator="\n").rstrip("\n")


def json_text(values: Mapping[str, object]) -> str:
    """A JSON object; raises ValueError where a number is none."""
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)


def document(results: Results, tables: Sequence[ShownTable], printed: Published | None) -> dict[str, object]:
    """A JSON object with the dataset, the protocol, the numbers, the notes and the unreadable records.

    Args:
        results: the runs.
        tables: their tables.
        printed: a paper's own numbers to add.
    """
    first = results.records[0]
    values: dict[str, object] = {
        "dataset": first.dataset.model_dump(mode="json"),
        "protocol": first.protocol,
        "numbers": list(numbers(results, tables, printed)),
        "notes": [*hp_notes(results), *notes(results)],
        "problems": list(results.problems),
    }
    if printed is not None:
        values["published"] = agreement_document(results, printed)
    return values


def numbers(results: Results, tables: Sequence[ShownTable], printed: Published | None) -> Iterator[dict[str, object]]:
    """One row per number.

    Args:
        results: the runs.
        tables: their tables.
        printed: a paper's own numbers to add.
    """
    for table in tables:
        name = table.name
        for shown in table.rows:
            row = shown.row
            for column, value, about in zip(table.columns, shown.values, shown.known, strict=True):
                yield {
                    "table": name,
                    "source": "measured",
                    "dataset": results.records[0].dataset.name,
                    "method": row.records[0].method.name if row else None,
                    "title": shown.label,
                    "configuration": row.records[0].configuration if row else None,
                    "status": row.status if row else None,
                    "seeds": [record.seed for record in row.finished] if row else [],
                    "task": column.task,
                    "metric": column.metric,
                    "value": None if isinstance(value, float) and math.isnan(value) else value,
                    **_about(about or CellUncertainty()),
                    "note": TELLS_NOTHING if cannot_miss(results.records[0], column.metric) == 1 else None,
                }
        if printed is not None and name in printed.tables and not (name == "table2" and results.hp == "barz"):
            tasks = {column.task for column in results.layout[name]}
            yield from (number for number in _printed_numbers(name, printed) if number["task"] in tasks)


def _printed_numbers(name: str, printed: Published) -> Iterator[dict[str, object]]:
    notes = flagged_cells(printed, name)
    table = printed.tables[name]
    for row in table.rows:
        for task, scores in row.cells.items():
            for metric, value in scores.items():
                yield {
                    "table": name,
                    "source": f"{printed.source}, {table.place}",
                    "dataset": printed.dataset,
                    "method": row.method,
                    "title": row.title,
                    "configuration": None,
                    "status": None,
                    "seeds": [],
                    "task": task,
                    "metric": metric,
                    # Rounded, for 40.2 / 100 has a long tail of binary digits.
                    "value": round(value / 100, 6) if table.unit == "percent" else value,
                    **_about(CellUncertainty()),
                    "note": notes.get((row.key, task, metric)),
                }


def _about(cell: CellUncertainty) -> dict[str, object]:
    rank_low, rank_high = cell.ranks or (None, None)
    return {
        "low": cell.low,
        "high": cell.high,
        "ties_with_best": cell.tied,
        "rank_low": rank_low,
        "rank_high": rank_high,
    }
