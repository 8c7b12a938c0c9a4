"""A bundle as it is read back: whole, its own, and within bounds, whoever made it."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from huse_bench.bundles.archive import digest_of, listed, unpack
from huse_bench.bundles.schema import (
    BUNDLE_FORMAT,
    VERIFICATION_FORMAT,
    BundleFacts,
    Level,
    Verified,
    files_hash,
)
from huse_bench.errors import BundleError, HuseBenchError, ResultsError
from huse_bench.faults import first_fault
from huse_bench.results import Results, Store, load_results
from huse_bench.text_files import read_text
from huse_bench.untrusted import MOST_TEXT, check_parquet

__all__ = ["FACTS", "VERIFICATION", "Bundle", "read_bundle"]

#: File that says what a bundle is.
FACTS = "bundle.json"

#: File that says what was checked.
VERIFICATION = "verification.json"

_Model = TypeVar("_Model", bound=BaseModel)


# Equal where it is the same: the folder of an archive goes with the one that unpacked it.
@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle whose files are those that it names.

    Attributes:
        path: as it was asked for, a folder or a .zip file.
        folder: where its files lie; of a .zip file a folder that goes when the bundle does.
        facts: what it says of itself.
        verified: the checks that it passed; None where there were none. Anybody can write them.
    """

    path: Path
    folder: Path
    facts: BundleFacts
    verified: Verified | None = None

    @property
    def hash(self) -> str:
        """SHA-256 over its files."""
        return files_hash(self.facts.files)

    @property
    def short_hash(self) -> str:
        """The first 12 digits of the hash, by which a bundle is cited."""
        return self.hash[:12]

    @property
    def level(self) -> Level:
        """How far it says that it was checked."""
        return "self-reported" if self.verified is None else self.verified.level

    @property
    def folders(self) -> Mapping[str, Path]:
        """Its results folders by name."""
        return {name: self.folder / "results" / name for name in self.facts.results}

    def results(self, name: str) -> Results:
        """The runs of one results folder.

        Args:
            name: of the folder.

        Returns:
            Its results, none of whose records has problems. What they read later, such as scores, is there as long as
            this bundle is.

        Raises:
            BundleError: where a record cannot be read, or its runs cannot share a table.
        """
        folder = self.folders[name]
        try:
            store = Store(folder)
            records, problems = store.read()
            if not problems:
                # Where it is of other data, or not whole.
                store.card()
                return Results(records, (), folder) if records else load_results(folder)
        except (HuseBenchError, RecursionError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise BundleError(f"{self.path}: results/{name}: {self._relative(reason)}") from error
        raise BundleError(f"{self.path}: results/{name}: {self._relative('; '.join(problems))}")

    def _relative(self, text: str) -> str:
        """A message without the folder that an archive was unpacked to, which is gone when it is read."""
        return text.replace(f"{self.folder}/", "").replace(str(self.folder), "the bundle")


def read_bundle(path: Path | str) -> Bundle:
    """Read a bundle that may have come from anybody; nothing of it is run.

    Names, links, sizes and check sums are looked at, and that each file is named and none is missing. Whether the
    numbers agree with each other is :func:`huse_bench.bundles.checks.check_bundle`'s to say.

    Args:
        path: a folder or a .zip file.

    Returns:
        The bundle.

    Raises:
        ResultsError: if there is nothing at this path.
        BundleError: saying what is wrong, and where.
    """
    path = Path(path)
    if path.is_dir():
        return _read(path, path)
    if not path.is_file():
        raise ResultsError(f"there is no bundle {path}; name a folder or a .zip file that huse-bench publish wrote")
    folder = Path(tempfile.mkdtemp(prefix="huse-bench-"))
    try:
        unpack(path, folder)
        bundle = _read(path, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(bundle, shutil.rmtree, folder, ignore_errors=True)
    return bundle


def _read(path: Path, folder: Path) -> Bundle:
    files = listed(folder)
    if FACTS not in files:
        what = "it is empty" if not files else f"it has no {FACTS}"
        raise BundleError(
            f"{path} is no bundle, or was not written to its end: {what}. Make one with: huse-bench publish FOLDER -o "
            f"{path}"
        )
    for name in files:
        if name.endswith((".json", ".jsonl")) and files[name].stat().st_size > MOST_TEXT:
            raise BundleError(f"{path}: {name} has more than {MOST_TEXT // 2**20} MiB, which no record has")
    facts = _parsed(BundleFacts, files[FACTS], f"{path}: {FACTS}", BUNDLE_FORMAT)
    _check_files(facts, files, path)
    for name in facts.files:
        if name.endswith(".parquet"):
            _check_amount(files[name], f"{path}: {name}")
    verified = None
    if VERIFICATION in files:
        where = f"{path}: {VERIFICATION}"
        verified = _parsed(Verified, files[VERIFICATION], where, VERIFICATION_FORMAT)
        if verified.bundle != files_hash(facts.files):
            raise BundleError(
                f"{where} is of another bundle, {verified.bundle[:12]}, and this one is "
                f"{files_hash(facts.files)[:12]}; delete it and verify the bundle again"
            )
    return Bundle(path, folder, facts, verified)


def _parsed(model: type[_Model], path: Path, where: str, version: int) -> _Model:
    try:
        text = read_text(path)
        return model.model_validate_json(text)
    except ValidationError as error:
        newer = next((fault["input"] for fault in error.errors() if fault["loc"] == ("format",)), None)
        if type(newer) is int and newer > version:
            raise BundleError(
                f"{where} was written by a newer huse-bench (format {newer}, this one reads {version}); upgrade "
                f"huse-bench"
            ) from error
        raise BundleError(f"{where} cannot be used: {first_fault(error, 'the file')}; publish it again") from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{where} cannot be read ({error}); get it again from where it came") from error


def _check_files(facts: BundleFacts, files: Mapping[str, Path], path: Path) -> None:
    """Raise BundleError unless the files are those that are named, each with its contents."""
    own = {FACTS, VERIFICATION}
    cure = "get the bundle again from where it came, or publish it anew"
    if named := sorted(own & set(facts.files)):
        raise BundleError(f"{path}: {FACTS} names {named[0]} among its files, which cannot be; {cure}")
    if missing := sorted(set(facts.files) - set(files)):
        raise BundleError(f"{path}: {missing[0]} is missing{_more(missing)}; {cure}")
    if extra := sorted(set(files) - set(facts.files) - own):
        raise BundleError(f"{path}: {extra[0]} is none of the files that {FACTS} names{_more(extra)}; remove it")
    for name, digest in sorted(facts.files.items()):
        try:
            found = digest_of(files[name])
        except OSError as error:
            raise BundleError(f"{path}: {name} cannot be read ({error.strerror or error})") from error
        if found != digest:
            raise BundleError(
                f"{path}: {name} was changed: its sha256 is {found[:12]}..., and {FACTS} says {digest[:12]}...; {cure}"
            )


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def _check_amount(path: Path, where: str) -> None:
    """Raise BundleError for a file of arrays that would fill the memory, by what its own index says."""
    try:
        check_parquet(path)
    except (OSError, ValueError) as error:
        raise BundleError(f"{where} cannot be read ({error}); get the bundle again from where it came") from error
