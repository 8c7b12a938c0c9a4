"""The results folder: one JSON record per run, with its per-query scores beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from huse_bench.config import Overwrite
from huse_bench.errors import RecordError, ResultsError
from huse_bench.files import is_incidental
from huse_bench.results.arrays import ClassFacts, Neighbours, PerQuery, Predictions
from huse_bench.results.card import DataCard
from huse_bench.results.card_files import add_thumbnails, read_card, write_card
from huse_bench.results.folder import MARKER, changing, claim_of, foreign, prepare, read_marker, unwritable
from huse_bench.results.locks import claimed
from huse_bench.results.reading import read_classes, read_neighbours, read_per_query, read_predictions, read_record
from huse_bench.results.schema import RunRecord, Tuning
from huse_bench.results.tuning_notes import noted, read_notes, write_notes
from huse_bench.results.writing import write_run

__all__ = ["Store"]


class Store:
    """A results folder, opened for reading, or for writing where a dataset is given.

    ``huse-bench.json`` marks the folder and names its dataset. ``runs/`` holds, for each run,
    ``<method>-s<seed>-<first 12 digits of the fingerprint>.json``, the per-query scores with the ending
    ``.parquet``, the per-item predictions with the ending ``.items.parquet``, the classes' centroids with the ending
    ``.classes.safetensors`` and the nearest neighbours with the ending ``.neighbours.parquet``. ``data-card.json`` and
    the files that it names say what the data are, and ``tuning.json`` what was spent on runs after they were written.
    Several processes may read and write the same folder.

    Args:
        folder: the results folder.
        dataset: name of the dataset whose runs are to be written; an empty or missing folder becomes its
            results folder. None opens an existing folder for reading.

    Raises:
        ResultsError: if the folder holds other files or another dataset's runs, cannot be written to, or
            (for reading) does not exist.
    """

    def __init__(self, folder: Path | str, dataset: str | None = None) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise ResultsError(f"{self.folder} is a file, not a folder; choose another --results")
        if dataset is not None:
            prepare(self.folder, dataset)
        elif not self.folder.exists():
            raise ResultsError(
                f"there is no results folder {self.folder}. Make one with: huse-bench run --results {self.folder}"
            )
        if not (self.folder / MARKER).is_file():
            raise foreign(self.folder)
        self.dataset = read_marker(self.folder / MARKER)
        if dataset is not None and dataset != self.dataset:
            raise _other_dataset(self, dataset)

    @classmethod
    def refuse_unusable(cls, folder: Path | str, dataset: str) -> None:
        """Refuse a results folder that runs could not be written to; a missing one is not made yet.

        Args:
            folder: the results folder.
            dataset: name of the dataset whose runs are to be written.

        Raises:
            ResultsError: as the constructor.
        """
        path = Path(folder)
        if path.exists():
            cls(path, dataset)
            return
        parent = next(above for above in path.absolute().parents if above.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
            raise unwritable(path, f"{parent} is {'read-only' if parent.is_dir() else 'a file'}")

    @classmethod
    def peek(cls, folder: Path | str, dataset: str) -> Store | None:
        """A results folder that runs could be written to, opened without writing anything.

        Args:
            folder: the results folder.
            dataset: name of the dataset whose runs are to be written.

        Returns:
            The folder; None where there is none yet, or an empty one.

        Raises:
            ResultsError: if it holds other files or another dataset's runs, or cannot be made.
        """
        path = Path(folder)
        if not path.exists():
            cls.refuse_unusable(path, dataset)
            return None
        if path.is_dir() and all(is_incidental(entry) for entry in path.iterdir()):
            return None
        store = cls(path)
        if store.dataset != dataset:
            raise _other_dataset(store, dataset)
        return store

    def write(
        self,
        record: RunRecord,
        per_query: PerQuery | None = None,
        predictions: Predictions | None = None,
        *,
        classes: ClassFacts | None = None,
        neighbours: Mapping[str, NDArray[np.integer]] | None = None,
    ) -> RunRecord:
        """Store a run: its arrays first and its record last, so that a record's presence means a whole run.

        Args:
            record: the record; the names of its files are filled in here.
            per_query: integer arrays (queries,) by direction and name, the same names in each direction.
            predictions: integer arrays (items,) by name, and shares under names that end in ``_confidence``.
            classes: where the classes lie.
            neighbours: (queries, k) numbers of test items by direction, nearest first; of more than 2,000 queries a
                sample is kept, of whole groups where the predictions have a ``group``.

        Returns:
            The record as stored.

        Raises:
            ResultsError: if the run is on another dataset than the folder's, or the disk refuses.
            ValueError: if the directions have different names or an array is not one-dimensional integers.
        """
        if record.dataset.name != self.dataset:
            raise _other_dataset(self, record.dataset.name)
        return write_run(self.folder, record, per_query, predictions, classes, neighbours)

    def read(self) -> tuple[list[RunRecord], list[str]]:
        """All records that can be used, and what is wrong with the others.

        Returns:
            The records in the order of their file names, and one line per record that cannot be read.
        """
        records, problems = [], []
        try:
            notes = read_notes(self.folder)
        except RecordError as error:
            notes = {}
            problems.append(str(error))
        for path in sorted((self.folder / "runs").glob("*.json")):
            if is_incidental(path):
                continue
            try:
                records.append(noted(read_record(path), notes))
            except RecordError as error:
                problems.append(str(error))
        return records, problems

    def find(self, fingerprint: str) -> RunRecord | None:
        """The record of a run.

        Args:
            fingerprint: identity of the run.

        Returns:
            The record, or None where there is none that can be read.
        """
        for path in (self.folder / "runs").glob(f"*-{fingerprint[:12]}.json"):
            try:
                record = read_record(path)
            except RecordError:
                continue
            if record.fingerprint == fingerprint:
                with suppress(RecordError):
                    return noted(record, read_notes(self.folder))
                return record
        return None

    def should_run(self, fingerprint: str, overwrite: Overwrite = "never") -> bool:
        """Whether a run is still to be done.

        Args:
            fingerprint: identity of the run.
            overwrite: ``"never"`` runs only what has no record, ``"failed"`` also what diverged or failed,
                ``"always"`` everything.

        Returns:
            True where the run is to be done.
        """
        record = self.find(fingerprint)
        if record is None or overwrite == "always":
            return True
        return overwrite == "failed" and record.status != "finished"

    @contextmanager
    def claim(self, fingerprint: str) -> Iterator[bool]:
        """Reserve a run for this process, for as long as the context lasts.

        The operating system frees what a killed process had reserved.

        Args:
            fingerprint: identity of the run.

        Yields:
            Whether it is this process's; False where another one is at it.

        Raises:
            ResultsError: if the folder cannot be written to any more.
        """
        with claimed(claim_of(self.folder, fingerprint)) as mine:
            yield mine

    def per_query(self, record: RunRecord) -> dict[str, dict[str, NDArray[np.integer]]] | None:
        """The per-query scores of a run, as they were given to :meth:`write`.

        Args:
            record: a record of this folder.

        Returns:
            Integer arrays (queries,) by direction and name; None where the run has none.

        Raises:
            RecordError: if the file cannot be read, or is not the one that was written.
        """
        return read_per_query(record, self.folder / "runs")

    def note_tuning(self, configuration: str, tuning: Tuning) -> None:
        """Say what a search has spent on the hyper-parameters of runs that were finished before it.

        Their records stay as they were written; :meth:`read` and :meth:`find` give them with the note.

        Args:
            configuration: of the runs.
            tuning: what was spent.

        Raises:
            RecordError: if the folder's notes cannot be read.
            ResultsError: if the disk refuses.
        """
        with changing(self.folder):
            notes = read_notes(self.folder)
            if notes.get(configuration) != tuning:
                write_notes(self.folder, {**notes, configuration: tuning})

    def predictions(self, record: RunRecord) -> dict[str, NDArray[np.integer]] | None:
        """The per-item predictions of a run, as they were given to :meth:`write`.

        Args:
            record: a record of this folder.

        Returns:
            Arrays (items,) by name: integers, and shares where it ends in ``_confidence``; None where the run has none.

        Raises:
            RecordError: if the file cannot be read, or is not the one that was written.
        """
        return read_predictions(record, self.folder / "runs")

    def classes(self, record: RunRecord) -> ClassFacts | None:
        """Where the classes of a run lie, as it was given to :meth:`write`.

        Args:
            record: a record of this folder.

        Returns:
            The facts; None where the run has none.

        Raises:
            RecordError: if the file cannot be read, is not the one that was written, or does not fit the record.
        """
        return read_classes(record, self.folder / "runs")

    def neighbours(self, record: RunRecord) -> Neighbours | None:
        """What the queries of a run found first, of those that were kept.

        Args:
            record: a record of this folder.

        Returns:
            The neighbours; None where the run has none.

        Raises:
            RecordError: if the file cannot be read, is not the one that was written, or does not fit the record.
        """
        return read_neighbours(record, self.folder / "runs")

    def card(self) -> DataCard | None:
        """What the data of the folder's runs are.

        Returns:
            The data card; None where there is none, as in folders from before there were cards.

        Raises:
            RecordError: if a file of it cannot be read, or is not the one that was written with it.
        """
        return read_card(self.folder)

    def write_card(self, card: DataCard) -> None:
        """Give the folder its data card, where it has none, and the card its thumbnails, where it has none of these.

        Args:
            card: what the data are.

        Raises:
            RecordError: if the folder's card cannot be read.
            ResultsError: if it is of other data, or the disk refuses.
        """
        with changing(self.folder):
            known = read_card(self.folder)
            if known is None:
                write_card(self.folder, card)
            elif known.facts.dataset.identity != card.facts.dataset.identity:
                raise ResultsError(
                    f"the data card of the results folder {self.folder} is of other data of {self.dataset!r}; choose "
                    f"another --results"
                )
            elif known.thumbnails is None and card.thumbnails is not None:
                add_thumbnails(self.folder, card.thumbnails)


def _other_dataset(store: Store, dataset: str) -> ResultsError:
    return ResultsError(
        f"the results folder {store.folder} holds runs on the dataset {store.dataset!r}, not on {dataset!r}; "
        f"choose another --results"
    )
