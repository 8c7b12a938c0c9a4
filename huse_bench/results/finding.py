"""One run of a results folder, as a person names it."""

from __future__ import annotations

from pathlib import Path

from huse_bench.errors import ResultsError
from huse_bench.hints import did_you_mean
from huse_bench.results.reading import read_record
from huse_bench.results.schema import RunRecord
from huse_bench.results.store import Store

__all__ = ["find_run"]

# So many are listed where a name is that of several.
_LISTED = 12


def find_run(name: str, folder: Path) -> tuple[RunRecord, Path]:
    """The record of a run.

    Args:
        name: the record's file, its name, or the beginning of it: a method, or a method with its seed, as in
            ``"huse-s0"``.
        folder: the results folder, for what is no file.

    Returns:
        The record, and the folder of its files.

    Raises:
        ResultsError: if there is no such run, or there are several.
        RecordError: if the file cannot be read.
    """
    if name.endswith(".json") and Path(name).is_file():
        return read_record(Path(name)), Path(name).parent
    records, _ = Store(folder).read()
    stem = name.removesuffix(".json")
    # What is meant first: s1 is not s10, nor huse huse-p.
    for found in (
        [record for record in records if record.stem == stem],
        [record for record in records if f"{record.method.name}-s{record.seed}" == stem],
        [record for record in records if record.method.name == stem],
        [record for record in records if record.stem.startswith(stem)],
    ):
        if len(found) == 1:
            return found[0], folder / "runs"
        if found:
            listed = "".join(f"\n  {record.stem}" for record in found[:_LISTED])
            more = f"\n  and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
            raise ResultsError(f"{len(found)} runs in {folder} are called {name!r}; name one of them:{listed}{more}")
    if (folder / "runs" / f"{stem}.json").is_file():
        # It is there, so it cannot be read: say why.
        read_record(folder / "runs" / f"{stem}.json")
    names = {known for record in records for known in (record.method.name, f"{record.method.name}-s{record.seed}")}
    hint = did_you_mean(name, sorted(names)) or f" There are runs of {', '.join(_methods(records)) or 'nothing'}."
    raise ResultsError(f"there is no run {name!r} in {folder}, and no such file.{hint}")


def _methods(records: list[RunRecord]) -> list[str]:
    return sorted({record.method.name for record in records})
