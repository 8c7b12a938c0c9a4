"""The leaderboard as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import huse_bench.report.html
from huse_bench.bundles import Bundle
from huse_bench.bundles.schema import LEVELS
from huse_bench.leaderboard.entries import Contents, Entry
from huse_bench.leaderboard.ranking import COLUMNS, Place, RankedBoard, column_name, rank
from huse_bench.leaderboard.standing import ColumnStanding, Standing, standing
from huse_bench.measures import DIRECTION_TITLES
from huse_bench.report.html.document import environment_of, policy, refuse_without_jinja
from huse_bench.report.html.texts import embedded_json
from huse_bench.results.across import Estimate
from huse_bench.version import installed_version

__all__ = ["NOTHING", "render_leaderboard", "shown_ranks"]

_TEMPLATES = Path(__file__).parent / "templates"
_SHARED = Path(huse_bench.report.html.__file__).parent / "templates"

#: Stands where there is no number, and between two.
NOTHING = "\u2013"

# What a reader sees first: retrieval across modalities is what the methods are for.
_FIRST = "i2t R@1"

# From here on an integer is shown by its first digits.
_LONG = 10**9


def render_leaderboard(contents: Contents) -> str:
    """One page about all bundles.

    Args:
        contents: what the bundles hold.

    Returns:
        HTML.

    Raises:
        MissingExtraError: without Jinja2.
    """
    refuse_without_jinja()
    from markupsafe import Markup  # noqa: PLC0415  comes with Jinja2

    boards = [rank(board) for board in contents.boards]
    over = standing(boards)
    styles = [_text(_SHARED / "page.css"), _text(_TEMPLATES / "leaderboard.css")]
    scripts = [_text(_TEMPLATES / "leaderboard.js")]
    several = len(over.boards) > 1
    data = {
        "boards": [{name: _places(board, name) for name in board.places} for board in boards],
        "over": {name: _standing_data(over, of_column) for name, of_column in over.columns.items()}
        if several and over.methods
        else None,
    }
    context: Mapping[str, Any] = {
        "policy": policy(scripts, styles),
        "styles": [Markup(text) for text in styles],  # noqa: S704  our own files
        "scripts": [Markup(text) for text in scripts],  # noqa: S704  our own files
        "data": Markup(embedded_json(data)),  # noqa: S704  escaped for a script element
        "version": installed_version(),
        "summary": _summary(contents, boards),
        "columns": _columns(),
        "column": _FIRST,
        "title": _column_title(_FIRST),
        "levels": LEVELS,
        "over": _over(over) if several else None,
        "boards": [_board(board, number) for number, board in enumerate(boards)],
        "bundles": [_bundle(bundle) for bundle in contents.bundles],
        "left_out": contents.left_out,
    }
    return environment_of(_TEMPLATES).get_template("leaderboard.html").render(context)


def shown_ranks(place: Place | None) -> str:
    """Ranks as a reader sees them: one, or the lowest and the highest with a dash between."""
    if place is None or place.ranks is None:
        return NOTHING
    low, high = place.ranks
    return str(low) if low == high else f"{low}{NOTHING}{high}"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _columns() -> dict[str, dict[str, str]]:
    """Titles of the columns by their names, in groups."""
    groups: dict[str, dict[str, str]] = {}
    for column in COLUMNS:
        group = DIRECTION_TITLES.get(column.task, "Classification")
        what = column.metric if column.task in DIRECTION_TITLES else f"accuracy by {column.task}"
        groups.setdefault(group, {})[column_name(column)] = f"{group}, {what}"
    return groups


def _column_title(name: str) -> str:
    return next(titles[name] for titles in _columns().values() if name in titles)


def _summary(contents: Contents, boards: Sequence[RankedBoard]) -> str:
    ranked = sum(not entry.unranked for board in boards for entry in board.board.entries)
    parts = [
        _several(ranked, "ranked result"),
        _several(len(contents.bundles), "bundle"),
        _several(len(boards), "data set"),
    ]
    expired = sum(len(board.board.expired) for board in boards)
    more = f" {_several(expired, 'result')} beside them, expired or given twice." if expired else ""
    return f"{parts[0]} from {parts[1]} on {parts[2]}.{more}"


def _several(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _board(ranked: RankedBoard, number: int) -> dict[str, Any]:
    board = ranked.board
    data = board.dataset
    places = _places(ranked, _FIRST)
    backbones = [data.image_backbone, data.text_backbone, *([data.class_backbone] if data.class_backbone else [])]
    return {
        "id": f"data-{number + 1}",
        "title": data.title,
        "about": f"{data.name}: {_count(data.classes)} classes, {_count(data.items.test)} test items; features of "
        f"{', '.join(backbones)}; contents {data.content_hash[:12]}.",
        "entries": [
            {**_entry(board.entries[place]), "place": place, "unranked": board.entries[place].unranked, **places[place]}
            for place in sorted(range(len(places)), key=lambda place: places[place]["order"])
        ],
        "expired": [{**_entry(entry), "expired": entry.expired} for entry in board.expired],
    }


def _places(ranked: RankedBoard, name: str) -> list[dict[str, Any]]:
    """What is shown of each entry in a column, by the entry's place; the order is that of the table's lines."""
    places = ranked.places[name]
    count = sum(place is not None and place.ranks is not None for place in places)

    def key(number: int) -> tuple[Any, ...]:
        place = places[number]
        if place is None:
            return (2,)
        # By its ranks, for a score says less; scores put ties in an order that can be found again.
        return (0, sum(place.ranks), place.ranks, -place.value) if place.ranks else (1, -place.value)

    order = {number: position for position, number in enumerate(sorted(range(len(places)), key=key))}
    return [
        {
            "value": NOTHING if place is None else f"{100 * place.value:.1f}",
            "ends": _ends(place.low, place.high) if place else "",
            "ranks": shown_ranks(place),
            "best": place is not None and place.best,
            "bar": _bar(place, count),
            "order": order[number],
        }
        for number, place in enumerate(places)
    ]


def _ends(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{100 * low:.1f} to {100 * high:.1f}"


def _bar(place: Place | None, count: int) -> tuple[float, float]:
    """Where the bar of ranks begins and how long it is, of 100."""
    if place is None or place.ranks is None:
        return 0, 0
    low, high = place.ranks
    return round(100 * (low - 1) / count, 2), round(100 * (high - low + 1) / count, 2)


def _entry(entry: Entry) -> dict[str, Any]:
    record = entry.first
    title = record.method.title
    training = next((record.training for record in entry.finished if record.training), None)
    tuning = record.tuning
    return {
        "title": title,
        "authors": entry.authors,
        "bundle": entry.bundle,
        "level": entry.level,
        "step": LEVELS.index(entry.level),
        "seeds": len(entry.finished),
        "training": f"{_count(training.steps)} steps of {_count(training.batch_size)}" if training else "no training",
        "tuning": f"{_count(tuning.studies * tuning.trials)} trials" if tuning else "not tuned",
        "tuned": tuning is not None,
        "date": entry.created.date().isoformat(),
        "text": " ".join([title, record.method.name, *entry.authors, entry.bundle, entry.title]).lower(),
    }


def _count(number: int) -> str:
    return f"{number:,}" if number < _LONG else f"{Decimal(number):.1e}"


def _bundle(bundle: Bundle) -> dict[str, Any]:
    checks = bundle.verified.verifications if bundle.verified else ()
    return {
        "hash": bundle.short_hash,
        "title": bundle.facts.title,
        "authors": bundle.facts.authors,
        "level": bundle.level,
        "step": LEVELS.index(bundle.level),
        "checked": max(check.date for check in checks).date().isoformat() if checks else NOTHING,
        "date": bundle.facts.created.date().isoformat(),
    }


def _over(over: Standing) -> dict[str, Any]:
    data = _standing_data(over, over.columns[_FIRST])
    names = data["names"]
    titles = [board.board.dataset.title for board in over.boards]
    methods = [
        {
            **_entry(entries[0]),
            **data["methods"][place],
            "place": place,
            "who": ", ".join(dict.fromkeys(author for entry in entries for author in entry.authors)) or "not named",
            "text": " ".join(_entry(entry)["text"] for entry in entries),
            "mixed": len({entry.first.method.source_hash for entry in entries}) > 1,
            "step": min(LEVELS.index(entry.level) for entry in entries),
            "mean": _cell(data["methods"][place]["mean"]),
            "beats": _cell(data["methods"][place]["beats"]),
        }
        for place, entries in enumerate(over.methods)
    ]
    return {
        "about": f"Methods that ran on all of {', '.join(titles)}.",
        "scale": data["scale"],
        "methods": sorted(methods, key=lambda method: method["order"]),
        "missing": over.missing,
        "pairs": {
            "names": names,
            "rows": [
                {"name": name, "cells": [cell and _cell(cell) for cell in cells]}
                for name, cells in zip(names, data["wins"], strict=True)
            ],
        },
    }


def _cell(pair: Sequence[str]) -> dict[str, str]:
    return {"value": pair[0], "ends": pair[1]}


def _standing_data(over: Standing, column: ColumnStanding) -> dict[str, Any]:
    """What the script shows of a column: numbers as pairs of a text and the ends of its interval."""
    order = {place: position for position, place in enumerate(column.order)}
    above = dict(zip(column.order[1:], column.order, strict=False))
    shown = [place for place in column.order if any(place in pair for pair in column.wins)]

    def win(first: int, second: int) -> tuple[str, str] | None:
        found = column.wins.get((first, second))
        return None if found is None else _percent(found, 0)

    return {
        "scale": "0 is chance on each data set, and 100 all right."
        if column.corrected
        else "Some records do not say what chance gets, so shares are as they are.",
        "methods": [
            {
                "mean": (NOTHING, "") if mean is None else _percent(mean, 1),
                "beats": (win(place, above[place]) if place in above else None) or (NOTHING, ""),
                "order": order.get(place, len(order) + place),
            }
            for place, mean in enumerate(column.means)
        ],
        "names": [over.methods[place][0].label for place in shown],
        "wins": [[win(first, second) for second in shown] for first in shown],
    }


def _percent(number: Estimate, digits: int) -> tuple[str, str]:
    value = f"{100 * number.value:.{digits}f}"
    if number.low is None or number.high is None:
        return value, ""
    return value, f"{100 * number.low:.{digits}f} to {100 * number.high:.{digits}f}"
