"""What a check of a GPU leaves behind: tables of each stage, and what failed, as one JSON."""

import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

FOLDER = Path(__file__).parents[2] / "results" / "benchmarks" / "gpu"
SCHEMA_VERSION: Literal[1] = 1

Cell = str | bool | int | float | None


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Stage(_Model):
    """What one stage found.

    Args:
        outcome: ``"stopped"`` where its time was over or it crashed, with what it had found by then; ``"not run"``
            where none was left for it.
        seconds: wall time.
        tables: rows of named cells, by title.
        failures: what went wrong, a line each; of a stage that ran through, what it refuses.
    """

    outcome: Literal["done", "stopped", "not run"]
    seconds: float = 0.0
    tables: dict[str, list[dict[str, Cell]]] = {}
    failures: list[str] = []


class Check(_Model):
    """All of one check."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str
    card: str
    date: str
    dry_run: bool
    versions: dict[str, str]
    stages: dict[str, Stage]


def slug(card: str) -> str:
    """A file name for results of the card."""
    return "-".join(re.findall(r"[a-z0-9.]+", card.lower()))


def folded(rows: list[dict[str, Cell]]) -> list[dict[str, Cell]]:
    """Rows of several processes, those with the same words as one, which has the largest of each number.

    Args:
        rows: of one table; whole numbers and strings are words, floats are numbers.
    """
    found: dict[tuple[tuple[str, Cell], ...], dict[str, Cell]] = {}
    for row in rows:
        words = tuple((column, cell) for column, cell in row.items() if not isinstance(cell, float))
        known = found.setdefault(words, dict(row))
        for column, cell in row.items():
            # NaN, which compares with nothing, is the worst that there is.
            if isinstance(cell, float) and not cell <= known[column]:
                known[column] = cell
    return list(found.values())
