"""What a set of bundles changes against another one, as Markdown for a comment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from huse_bench.bundles import Bundle
from huse_bench.leaderboard.entries import Board, Contents, Entry
from huse_bench.leaderboard.page import shown_ranks
from huse_bench.leaderboard.ranking import COLUMNS, Place, column_name, rank
from huse_bench.report.html.texts import visible

__all__ = ["MOST_CHARACTERS", "changes_markdown", "quoted"]

#: A comment on GitHub has room for 65,536 characters.
MOST_CHARACTERS = 60_000

# One number a direction, and one for classification: a comment is no table of results.
_COLUMNS = tuple(column for column in COLUMNS if column.metric == "R@1" or column.task == "fusion")

# Lines of one table or list.
_MOST_LINES = 60

# Of a name that somebody chose.
_MOST_OF_A_NAME = 80


def quoted(text: str) -> str:
    """A text of a stranger as code, in which no markup, mention, reference or address is heeded.

    Args:
        text: any.

    Returns:
        Markdown of one line that can stand in a table, of at most about 80 signs.
    """
    line = str(visible(re.sub(r"\s+", " ", text))).replace("`", "'").replace("|", "/").strip()
    return f"`{line[:_MOST_OF_A_NAME] + '...' if len(line) > _MOST_OF_A_NAME else line or '(none)'}`"


def changes_markdown(base: Contents, head: Contents) -> str:
    """Say which bundles come, go and change, and which ranks with them.

    Args:
        base: what is there now.
        head: what would be there.

    Returns:
        Markdown of at most 60,000 characters. Whatever a bundle says stands in it as code.
    """
    lines = ["## Leaderboard", ""]
    before, after = ({bundle.hash: bundle for bundle in contents.bundles} for contents in (base, head))
    new = [bundle for key, bundle in after.items() if key not in before]
    gone = [bundle for key, bundle in before.items() if key not in after]
    raised = [after[key] for key in after if key in before and after[key].verified != before[key].verified]
    lines += _bundles("New bundles", new)
    lines += _bundles("Bundles that go", gone)
    lines += _list(
        "Verifications that change (a bundle says this of itself: look at who changed it)",
        [f"{quoted(one.facts.title)}: {before[one.hash].level} to {one.level}" for one in raised],
    )
    reasons = {(one.name, one.reason) for one in base.left_out}
    lines += _list(
        "Left out, since they cannot be used",
        [f"{quoted(one.name)}: {quoted(one.reason)}" for one in head.left_out if (one.name, one.reason) not in reasons],
    )
    lines += _list("Would expire", _expiring(base, head))
    changed = [line for board in head.boards for line in _board_changes(board, _same(base, board))]
    lines += changed or ["No rank changes.", ""]
    lines.append(
        "Ranks are intervals by paired tests. Only data were read, and nothing of the bundles was run. What was not "
        "computed from their per-query scores is what they say of themselves."
    )
    text = "\n".join(lines)
    if len(text) <= MOST_CHARACTERS:
        return f"{text}\n"
    return f"{text[:MOST_CHARACTERS].rpartition(chr(10))[0]}\n\nThe rest is left out.\n"


def _bundles(heading: str, bundles: Iterable[Bundle]) -> list[str]:
    return _list(
        heading,
        [
            f"{quoted(bundle.facts.title)} by {quoted(', '.join(bundle.facts.authors) or 'nobody named')}, "
            f"{bundle.level} (its own word), bundle {quoted(bundle.short_hash)}"
            for bundle in bundles
        ],
    )


def _list(heading: str, items: Sequence[str]) -> list[str]:
    if not items:
        return []
    more = [f"- and {len(items) - _MOST_LINES} more"] if len(items) > _MOST_LINES else []
    return [f"### {heading}", "", *(f"- {item}" for item in items[:_MOST_LINES]), *more, ""]


def _expiring(base: Contents, head: Contents) -> list[str]:
    found = []
    for key, entry in head.entries.items():
        old = base.entries.get(key)
        if entry.expired and old is not None and not old.expired:
            found.append(f"{_label(entry)}: {quoted(entry.expired)}")
    return found


def _same(contents: Contents, board: Board) -> Board | None:
    return next((other for other in contents.boards if other.key == board.key), None)


def _board_changes(board: Board, old: Board | None) -> Iterator[str]:
    """A table of the entries whose ranks change, the new ones first."""
    if old is not None and [entry.identity for entry in old.entries] == [entry.identity for entry in board.entries]:
        # The same runs, by the hashes of their bundles.
        return
    before = {entry.identity: places for entry, places in _ranks(old)} if old else {}
    rows = []
    for entry, places in _ranks(board):
        identity = entry.identity
        cells = [
            _cell(place, before[identity][number] if identity in before else None, identity not in before)
            for number, place in enumerate(places)
        ]
        if identity not in before or any(" to " in cell for cell in cells):
            state = "new" if identity not in before else ""
            note = f" (no rank: {quoted(entry.unranked)})" if entry.unranked else ""
            rows.append((identity in before, f"| {_label(entry)}{note} | {state} | {' | '.join(cells)} |"))
    if not rows:
        return
    rows.sort(key=lambda row: row[0])
    yield f"### {quoted(board.dataset.title)}"
    yield ""
    yield f"| Result | | {' | '.join(quoted(column_name(column)) for column in _COLUMNS)} |"
    yield f"| :-- | :-- |{' --: |' * len(_COLUMNS)}"
    yield from (line for _, line in rows[:_MOST_LINES])
    yield ""
    if len(rows) > _MOST_LINES:
        yield f"And {len(rows) - _MOST_LINES} more."
        yield ""


def _ranks(board: Board) -> list[tuple[Entry, list[Place | None]]]:
    ranked = rank(board, _COLUMNS)
    return [
        (entry, [ranked.places[column_name(column)][number] for column in _COLUMNS])
        for number, entry in enumerate(ranked.board.entries)
    ]


def _cell(place: Place | None, old: Place | None, is_new: bool) -> str:
    now, before = shown_ranks(place), shown_ranks(old)
    return now if is_new or now == before else f"{before} to {now}"


def _label(entry: Entry) -> str:
    return f"{quoted(entry.label)} of {quoted(entry.bundle)}"
