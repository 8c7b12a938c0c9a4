"""Encoding pictures and texts batch by batch into the cache, or finding them there."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from huse_bench.components import ImageBackbone, TextBackbone
from huse_bench.config import MAX_PIXELS
from huse_bench.errors import PluginError
from huse_bench.features._allocator import freed_memory_kept
from huse_bench.features._backbones import FeatureKind, Opened
from huse_bench.features._contents import hash_files, hash_texts
from huse_bench.features._decode import DECODER_VERSION
from huse_bench.features._entry import Entry
from huse_bench.features._partial import Partial
from huse_bench.features._pixels import Flaw, default_workers, stream_pixels
from huse_bench.features.cache import Cache
from huse_bench.fingerprint import fingerprint
from huse_bench.progress import Reporter

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Encoded", "Encoder"]

# Texts encoded between two lines of the journal; backbones sort so many by length.
_TEXTS = 256

# Raised when the files in the cache begin to mean something else.
_FORMAT = 1

#: Rows of the next batch; by position what is wrong: status, reason and file.
_Batch = tuple["NDArray[np.float32]", Mapping[int, tuple[str, str, str]]]


@dataclass(frozen=True)
class Encoded:
    """Features of items.

    Attributes:
        values: (n, dim) float32, mapped from the cache where no two items have the same contents.
        flaws: by item, what is wrong with its picture; the rows of those that are left out are zeros.
        entry: where they lie in the cache.
    """

    values: NDArray[np.float32]
    flaws: dict[int, Flaw]
    entry: Entry


@dataclass(frozen=True)
class Encoder:
    """Makes the features of one dataset, each content once.

    Attributes:
        cache: where features are looked up and kept.
        reporter: shows progress.
        dataset: its name, for people.
        workers: processes that decode pictures; None for as many as there are cores.
        max_pixels: width times height of the largest picture that is read.
    """

    cache: Cache
    reporter: Reporter
    dataset: str
    workers: int | None = None
    max_pixels: int = MAX_PIXELS

    def pictures(self, opened: Opened, paths: Sequence[Path]) -> Encoded:
        """Features of picture files.

        Args:
            opened: an image backbone.
            paths: n files.

        Raises:
            DataError: if files are missing.
            PluginError: if the backbone fails.
            ConfigError: if the cache cannot be written to.
        """
        with self.cache.writing(), self.reporter.items("reading pictures", len(paths)) as advance:
            hashes = hash_files(paths, self.cache.hashes, self.dataset, advance)
        rows, first = _unique(hashes)

        def encode(start: int) -> Generator[_Batch, None, None]:
            return _encode_pictures(
                opened, [str(paths[index]) for index in first[start:]], self.workers, self.max_pixels
            )

        decoding: dict[str, Any] = {"decoder": DECODER_VERSION}
        if self.max_pixels != MAX_PIXELS:
            decoding["max_pixels"] = self.max_pixels
        entry = self._obtain("image", opened, [hashes[index] for index in first], decoding, encode)
        return _expanded(entry, rows)

    def texts(self, kind: FeatureKind, opened: Opened, texts: Sequence[str], train: Sequence[str]) -> Encoded:
        """Features of texts.

        Args:
            kind: ``"text"`` or ``"class"``.
            opened: a text backbone.
            texts: n texts.
            train: those of the train split, for backbones that are fitted.

        Raises:
            PluginError: if the backbone fails.
            ConfigError: if the cache cannot be written to.
        """
        backbone = opened.backbone
        assert isinstance(backbone, TextBackbone)
        hashes = hash_texts(texts)
        rows, first = _unique(hashes)
        fitted_on = {"fitted on": hash_texts(train)} if backbone.fitted else {}

        def encode(start: int) -> Generator[_Batch, None, None]:
            return _encode_texts(opened, [texts[index] for index in first[start:]], train)

        entry = self._obtain(kind, opened, [hashes[index] for index in first], fitted_on, encode)
        return _expanded(entry, rows)

    def _obtain(
        self,
        kind: FeatureKind,
        opened: Opened,
        contents: list[str],
        more: Mapping[str, Any],
        encode: Callable[[int], Generator[_Batch, None, None]],
    ) -> Entry:
        identity = {
            "format": _FORMAT,
            "kind": kind,
            "distribution": opened.distribution,
            "backbone": opened.name,
            "reference": opened.reference,
            "revision": opened.backbone.revision,
            "contents": contents,
            **more,
        }
        if opened.precision != "float32":
            identity["precision"] = opened.precision
        key = fingerprint(identity)
        what = f"{kind} features by {opened.described}"
        stem = self.cache.stem(kind, opened.name, key)
        if entry := self.cache.find(stem, key):
            self.reporter.detail(f"{what}: {entry.rows:,} from the cache, {entry.name}")
            return entry
        facts = {"key": key, "kind": kind, "backbone": opened.label, "dataset": self.dataset, "total": len(contents)}

        def wait() -> None:
            self.reporter.say(f"{what}: another process is making them, waiting for it")

        with self.cache.locked(stem, wait):
            # Another process may have made them while this one waited.
            if entry := self.cache.find(stem, key):
                return entry
            with self.cache.writing():
                partial = Partial(stem, facts)
            try:
                with freed_memory_kept():
                    self._fill(partial, len(contents), what, encode)
            finally:
                partial.close()
            return self.cache.finish(stem, partial, _facts(facts))

    def _fill(
        self, partial: Partial, total: int, what: str, encode: Callable[[int], Generator[_Batch, None, None]]
    ) -> None:
        begun = partial.rows
        goes_on = f", {begun:,} of them are there from a run that was stopped" if begun else ""
        self.reporter.say(f"{what}: making {total:,}{goes_on}")
        started = time.perf_counter()
        # Closed here, so that an interrupt ends the worker processes at once.
        with self.reporter.items(what, total, begun) as advance, closing(encode(begun)) as batches:
            for values, flaws in batches:
                with self.cache.writing():
                    partial.append(values, flaws)
                advance(partial.rows)
        seconds = time.perf_counter() - started
        self.reporter.say(
            f"{what}: made {total - begun:,} in {seconds:.0f} s ({(total - begun) / seconds:.1f} items/s)"
        )


def _unique(hashes: Sequence[str]) -> tuple[NDArray[np.int64], list[int]]:
    """For each item the row of its contents, and for each row the first item that has them."""
    places: dict[str, int] = {}
    rows = np.fromiter((places.setdefault(each, len(places)) for each in hashes), np.int64, len(hashes))
    first: dict[str, int] = {}
    for index, each in enumerate(hashes):
        first.setdefault(each, index)
    return rows, list(first.values())


def _expanded(entry: Entry, rows: NDArray[np.int64]) -> Encoded:
    values = entry.values()
    flaws = entry.flaws
    by_item = {item: flaws[row][:2] for item, row in enumerate(rows.tolist()) if row in flaws} if flaws else {}
    return Encoded(values if len(rows) == len(values) else values[rows], by_item, entry)


def _encode_pictures(
    opened: Opened, paths: list[str], workers: int | None, max_pixels: int
) -> Generator[_Batch, None, None]:
    backbone = opened.backbone
    assert isinstance(backbone, ImageBackbone)
    done = 0
    workers = default_workers(len(paths)) if workers is None else workers
    for batch in stream_pixels(backbone, paths, workers, max_pixels):
        # The backbone's dim may read its weights, which must not happen before it went to the workers.
        values = np.zeros((batch.size, backbone.dim), np.float32)
        if batch.rows:
            values[batch.rows] = _checked(opened, len(batch.rows), backbone.encode_pixels(batch.values))
        yield values, {row: (*flaw, paths[done + row]) for row, flaw in batch.flaws.items()}
        done += batch.size


def _encode_texts(opened: Opened, texts: list[str], train: Sequence[str]) -> Generator[_Batch, None, None]:
    backbone = opened.backbone
    assert isinstance(backbone, TextBackbone)
    if backbone.fitted and texts:
        backbone.fit(train)
    for start in range(0, len(texts), _TEXTS):
        batch = texts[start : start + _TEXTS]
        yield _checked(opened, len(batch), backbone.encode(batch)), {}


def _checked(opened: Opened, count: int, values: NDArray[np.float32]) -> NDArray[np.float32]:
    expected = (count, opened.backbone.dim)
    if np.shape(values) != expected:
        raise PluginError(
            f"the backbone {opened.written!r} of {opened.distribution} gave features of shape {np.shape(values)} where "
            f"{expected} were due (items, its dim). Report it to the backbone's author"
        )
    return values


def _facts(facts: Mapping[str, Any]) -> dict[str, str]:
    versions = {name: metadata.version(name) for name in ("huse-bench", "numpy", "torch")}
    versions["python"] = platform.python_version()
    if facts["kind"] == "image":
        import PIL  # noqa: PLC0415  an optional package

        # Asked itself, for a build of it may be installed under another name.
        versions["pillow"] = PIL.__version__
    return {
        **{name: str(value) for name, value in facts.items() if name != "total"},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": json.dumps(versions),
    }
