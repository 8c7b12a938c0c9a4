"""What the results hold beside the numbers of their records, or the reason why a figure has to do without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from huse_bench.report.figures.model import NotHeldError
from huse_bench.report.words import listed
from huse_bench.results.card import DataCard
from huse_bench.results.rows import Row
from huse_bench.results.store import Store
from huse_bench.results.tables import Results

__all__ = ["card_of", "first_few", "methods_of", "seeds_of", "store_of", "without"]

_Item = TypeVar("_Item")


def methods_of(results: Results) -> list[Row]:
    """The rows of methods that finished, in the order of the tables.

    Raises:
        NotHeldError: if none did.
    """
    rows = [row for row in results.rows if row.finished and not row.is_control]
    if not rows:
        raise NotHeldError("no run of a method has finished")
    return rows


def store_of(results: Results) -> Store:
    """The folder of the results.

    Raises:
        NotHeldError: if they come from none.
    """
    if results.folder is None:
        raise NotHeldError("the records were given without their folder")
    return Store(results.folder)


def card_of(results: Results) -> DataCard:
    """The data card of the results.

    Raises:
        NotHeldError: if the folder has none.
        RecordError: if it cannot be read.
    """
    card = store_of(results).card()
    if card is None:
        raise NotHeldError("the results folder has no data card, which huse-bench run writes before its first training")
    return card


def seeds_of(rows: Sequence[Row]) -> str:
    """What the numbers of the rows are taken over, as ``"seed 0"`` or ``"means over 5 seeds"``."""
    counts = sorted({len(row.finished) for row in rows})
    if counts == [1]:
        seeds = {row.finished[0].seed for row in rows}
        return f"seed {seeds.pop()}" if len(seeds) == 1 else "one seed each"
    return f"means over {counts[0]}{'' if len(counts) == 1 else f' to {counts[-1]}'} seeds"


def first_few(methods: Sequence[_Item], most: int = 48) -> tuple[list[_Item], str]:
    """The methods that a figure with a panel or a column for each has room for.

    Args:
        methods: in the order of the tables.
        most: how many there is room for.

    Returns:
        The first of them, and a sentence that says so where there are more.
    """
    rest = len(methods) - most
    return list(methods[:most]), f" The first {most} methods of the tables are shown, {rest} are not." * (rest > 0)


def without(rows: Sequence[Row], shown: Sequence[str], what: str) -> str:
    """A sentence that names the rows which are not in a figure; empty where all are."""
    names = [row.label for row in rows if row.label not in shown]
    return f" Not shown, having no {what}: {listed(names)}." if names else ""
