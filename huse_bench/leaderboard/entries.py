"""What stands on a leaderboard: the rows of bundles, by the data that they are comparable on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from huse_bench.bundles import Bundle, read_bundle
from huse_bench.bundles.schema import LEVELS, Level
from huse_bench.errors import HuseBenchError, ResultsError
from huse_bench.evaluation.protocol import (
    CLASSIFICATION_PROTOCOL,
    HP_PROTOCOL,
    RECALL_PROTOCOL,
    UNSEEN_HP_PROTOCOL,
)
from huse_bench.results import Results, RunRecord
from huse_bench.results.rows import Row
from huse_bench.results.schema import DatasetInfo, Json

__all__ = ["Board", "Contents", "Entry", "LeftOut", "find_bundles", "read_contents"]

# What numbers must be counted by to be ranked, by field of the records' protocol.
_CURRENT = {"recall": RECALL_PROTOCOL["v2"], "hp": HP_PROTOCOL["v2"], "classification": CLASSIFICATION_PROTOCOL}


@dataclass(frozen=True)
class Entry:
    """One method with one configuration in one bundle.

    Attributes:
        bundle: short hash of the bundle.
        title: of the bundle.
        authors: who made the runs.
        level: how far the bundle was checked by others, as it says itself.
        row: the runs.
        results: of the results folder that they are from.
        expired: why it counts no more; empty where it does.
        unranked: why it has no rank although it counts; empty where it has one.
    """

    bundle: str
    title: str
    authors: tuple[str, ...]
    level: Level
    row: Row
    results: Results = field(repr=False)
    expired: str = ""
    unranked: str = ""

    @property
    def first(self) -> RunRecord:
        """The run of the lowest seed, for what all of them have in common."""
        return self.row.records[0]

    @property
    def finished(self) -> tuple[RunRecord, ...]:
        """The runs that have scores."""
        return self.row.finished

    @property
    def created(self) -> datetime:
        """When its newest run ended."""
        return max(record.created for record in self.row.records)

    @property
    def identity(self) -> tuple[str, str]:
        """What tells it apart from all others of its board."""
        return self.bundle, self.first.configuration

    @property
    def method(self) -> tuple[str, str, bool]:
        """What is the same method on other data: its name, whose it is, and whether a search chose its parameters."""
        info = self.first.method
        return info.name, info.distribution, self.first.tuning is not None

    @property
    def label(self) -> str:
        """Title of the method, which says where a search chose its parameters."""
        return self.first.method.title + (" (tuned)" if self.first.tuning else "")

    @property
    def trust(self) -> tuple[int, int, datetime]:
        """What goes first where two entries cannot both: the level, then the runs, then the date."""
        return LEVELS.index(self.level), len(self.finished), self.created


@dataclass(frozen=True)
class Board:
    """The entries on one data set with one choice of backbones.

    Attributes:
        dataset: of the current entries, or of the newest where all are expired.
        entries: those that count, as they are ranked against each other or have a reason why not.
        expired: those that do not, each with the reason.
    """

    dataset: DatasetInfo
    entries: tuple[Entry, ...]
    expired: tuple[Entry, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it apart from all other boards."""
        return _board_key(self.dataset)


@dataclass(frozen=True)
class LeftOut:
    """A bundle, or a part of one, that cannot be used.

    Attributes:
        name: of the file or folder.
        reason: why.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Contents:
    """All that bundles hold.

    Attributes:
        bundles: the bundles, in the order of their hashes.
        boards: by data set, in the order of their titles.
        left_out: what cannot be used.
    """

    bundles: tuple[Bundle, ...]
    boards: tuple[Board, ...]
    left_out: tuple[LeftOut, ...]

    @cached_property
    def entries(self) -> Mapping[tuple[tuple[str, ...], tuple[str, str]], Entry]:
        """All entries, by board and identity."""
        return {
            (board.key, entry.identity): entry for board in self.boards for entry in (*board.entries, *board.expired)
        }


def find_bundles(paths: Sequence[Path]) -> list[Path]:
    """Bundles that are named, or that lie in folders that are named.

    Args:
        paths: bundles, or folders of bundles.

    Returns:
        The bundles, each once.

    Raises:
        ResultsError: if there is nothing at a path.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.exists():
            raise ResultsError(f"there is no bundle {path}; name bundles of huse-bench publish, or folders of them")
        is_bundle = path.is_file() or (path / "bundle.json").exists()
        for bundle in [path] if is_bundle else sorted(filter(_may_be_bundle, path.iterdir())):
            found.setdefault(bundle.resolve(), bundle)
    return list(found.values())


def read_contents(paths: Sequence[Path]) -> Contents:
    """Read bundles that may come from anybody; nothing of them is run.

    Args:
        paths: the bundles.

    Returns:
        What they hold. A bundle that cannot be read, or that is there twice, is left out with the reason.
    """
    bundles: dict[str, Bundle] = {}
    left_out: list[LeftOut] = []
    for path in paths:
        try:
            bundle = read_bundle(path)
        except HuseBenchError as error:
            left_out.append(LeftOut(path.name, str(error).removeprefix(f"{path}: ")))
            continue
        if bundle.hash in bundles:
            left_out.append(LeftOut(path.name, f"it is the same as {bundles[bundle.hash].path.name}"))
        else:
            bundles[bundle.hash] = bundle
    entries: list[Entry] = []
    for _, bundle in sorted(bundles.items()):
        for name in bundle.facts.results:
            try:
                entries += _entries(bundle, name)
            except HuseBenchError as error:
                left_out.append(LeftOut(bundle.path.name, str(error).removeprefix(f"{bundle.path}: ")))
    boards: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        boards.setdefault(_board_key(entry.first.dataset), []).append(entry)
    made = [_board(boards[key]) for key in sorted(boards, key=lambda key: (key[1].casefold(), key))]
    return Contents(tuple(bundle for _, bundle in sorted(bundles.items())), tuple(made), tuple(left_out))


def _may_be_bundle(path: Path) -> bool:
    # Links are not followed: they could lead out of the folder.
    hidden = path.name.startswith(".") or path.is_symlink()
    return not hidden and (path.is_dir() or path.suffix == ".zip")


def _board_key(dataset: DatasetInfo) -> tuple[str, ...]:
    backbones = (dataset.image_backbone, dataset.text_backbone, dataset.class_backbone or "")
    return dataset.name, dataset.title, *backbones


def _entries(bundle: Bundle, name: str) -> Iterator[Entry]:
    """The methods of one results folder; controls are no entries, and a method that never finished is none either."""
    results = bundle.results(name)
    for row in results.rows:
        if row.finished and not row.is_control:
            stems = {record.stem for record in row.records}
            sources = [source for source in bundle.facts.sources if stems & set(source.runs.get(name, ()))]
            authors = [author for source in sources for author in source.authors] or bundle.facts.authors
            yield Entry(
                bundle.short_hash, bundle.facts.title, tuple(dict.fromkeys(authors)), bundle.level, row, results
            )


def _board(entries: Sequence[Entry]) -> Board:
    """The entries on one data set, those on other data than the most trusted one expired."""
    by_trust = sorted(entries, key=lambda entry: (entry.trust, entry.identity), reverse=True)
    counted: list[Entry] = []
    expired: list[Entry] = []
    # Data are current by who checked them and by their date, not by how many runs there are.
    by_data = sorted(entries, key=lambda entry: (entry.trust[0], entry.created, entry.identity), reverse=True)
    current = next((entry for entry in by_data if not _old_protocol(entry.first)), None)
    for entry in by_trust:
        reason = _old_protocol(entry.first) or (_other_data(entry, current) if current else "")
        if reason:
            expired.append(replace(entry, expired=reason))
        elif same := next((other for other in counted if _runs(entry) <= _runs(other)), None):
            expired.append(replace(entry, expired=f"the same runs are in the bundle {same.bundle}"))
        else:
            counted.append(entry)
    return Board((current or by_data[0]).first.dataset, tuple(counted), tuple(expired))


def _runs(entry: Entry) -> set[str]:
    return {record.fingerprint for record in entry.finished}


def _old_protocol(record: RunRecord) -> str:
    for name, current in _current(record.dataset).items():
        found = record.counting.get(name)
        if found != current:
            known = {*RECALL_PROTOCOL.values(), *HP_PROTOCOL.values(), *UNSEEN_HP_PROTOCOL.values()}
            state = "an old protocol" if found in known or found is None else "another protocol than this huse-bench's"
            return f"{state}: {name} is counted by {found}, now by {current}"
    return ""


def _current(dataset: DatasetInfo) -> Mapping[str, str]:
    return {**_CURRENT, "hp": UNSEEN_HP_PROTOCOL["v2"]} if dataset.held_out else _CURRENT


def _other_data(entry: Entry, current: Entry) -> str:
    """The first thing in which the data differ from the current ones; empty where none does."""
    ours, theirs = _comparable(entry.first), _comparable(current.first)
    for name in dict.fromkeys([*theirs, *ours]):
        if ours.get(name) != theirs.get(name):
            values = (
                f"{_short(ours.get(name))}, in the current ones (bundle {current.bundle}) {_short(theirs.get(name))}"
            )
            return f"other data: {name} is {values}"
    return ""


def _comparable(record: RunRecord) -> dict[str, Json]:
    """What is the same in all runs that can share a table, as :class:`Results` asks."""
    data = record.dataset
    return {
        "the hash of the contents": data.content_hash,
        "the hash of the taxonomy": data.taxonomy_hash,
        "the hash of the groups": (data.parts or {}).get("groups"),
        "the sizes of the splits": data.items.model_dump(),
        "the number of classes": data.classes,
    } | {f"the protocol's {name}": value for name, value in record.counting.items()}


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 24 else f"{text[:12]}..."
