"""What ``bundle.json`` and ``verification.json`` say, as versioned schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from huse_bench.fingerprint import fingerprint
from huse_bench.results.schema import Part, Sha256, one_line

__all__ = [
    "BUNDLE_FORMAT",
    "LEVELS",
    "VERIFICATION_FORMAT",
    "BundleFacts",
    "Level",
    "Rerun",
    "Source",
    "Verification",
    "Verified",
    "files_hash",
]

#: Version of ``bundle.json``.
BUNDLE_FORMAT: Literal[1] = 1

#: Version of ``verification.json``.
VERIFICATION_FORMAT: Literal[1] = 1

#: How far results were checked by others, from least to most.
Level = Literal["self-reported", "re-rendered", "spot-checked", "reproduced elsewhere"]

#: The levels, ascending.
LEVELS: tuple[Level, ...] = ("self-reported", "re-rendered", "spot-checked", "reproduced elsewhere")

_Line = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(one_line)]
# What any file system takes, and no more: no folder above, no root, no drive, no hidden file.
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$", max_length=200)]
_Path = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*){0,3}$", max_length=800)
]


class Source(Part):
    """A bundle that was joined into another one.

    Attributes:
        title: of the bundle.
        authors: who made it.
        created: when its newest run ended.
        bundle: hash of its files.
        runs: by results folder, the runs that came from it: names of their files without endings.
    """

    title: _Line
    authors: tuple[_Line, ...]
    created: AwareDatetime
    bundle: Sha256
    runs: dict[_Name, tuple[str, ...]]


class BundleFacts(Part):
    """What a bundle says of itself.

    Attributes:
        format: version of this schema.
        title: one line.
        authors: names of those who made the runs.
        created: when the newest run ended; a bundle is a function of its runs, so it has no other date.
        results: names of the results folders, under ``results/``.
        versions: of what wrote the bundle, by distribution.
        summary: whether the tables begin with a summary over the results folders; False in bundles that do not say.
        sources: the bundles that it was joined of; none where it was made of results folders.
        files: sha256 by path of all files but ``bundle.json`` and ``verification.json``.
    """

    format: Literal[1]
    title: _Line
    authors: tuple[_Line, ...] = ()
    created: AwareDatetime
    results: Annotated[tuple[_Name, ...], Field(min_length=1)]
    versions: dict[str, str]
    summary: bool = False
    sources: tuple[Source, ...] = ()
    files: dict[_Path, Sha256]

    @model_validator(mode="after")
    def _whole(self) -> BundleFacts:
        if len({name.casefold() for name in self.results}) < len(self.results):
            raise ValueError("a results folder is named twice")
        for name in self.results:
            if f"results/{name}/huse-bench.json" not in self.files:
                raise ValueError(f"the results folder {name} has no huse-bench.json among the files")
        return self


class Rerun(Part):
    """A run of a bundle that was trained again.

    Attributes:
        run: name of the run's files, without their endings.
        seeds: that were trained; the run's own first where it was trained again for a comparison bit by bit.
        exact: whether all scores of the run's own seed came out the same; None where that could not be expected: other
            code, versions or processor.
        p: the least p-value of all columns, corrected for their number and that of the runs.
        column: where it is, as ``"i2t R@1"``.
        difference: in that column, the bundle's number less that of the fresh seeds, as a share.
        detectable: a difference in that column that would have been refused in about half of such checks, as a share.
    """

    run: str
    seeds: tuple[int, ...]
    exact: bool | None
    p: float
    column: str
    difference: float
    detectable: float


class Verification(Part):
    """One check of a bundle that it passed.

    Attributes:
        level: that this check reached.
        date: when.
        versions: of the software that checked, by distribution.
        machine: class of the machine: system, architecture, processor; nothing that names one.
        checked: what was looked at, a line each.
        reruns: the runs that were trained again.
    """

    level: Level
    date: AwareDatetime
    versions: dict[str, str]
    machine: dict[str, str]
    checked: tuple[_Line, ...]
    reruns: tuple[Rerun, ...] = ()


class Verified(Part):
    """The checks that a bundle passed, as ``verification.json`` holds them.

    Attributes:
        format: version of this schema.
        bundle: hash of the bundle's files.
        verifications: the checks, oldest first.
    """

    format: Literal[1]
    bundle: Sha256
    verifications: Annotated[tuple[Verification, ...], Field(min_length=1)]

    @property
    def level(self) -> Level:
        """The highest level that a check reached."""
        return max((check.level for check in self.verifications), key=LEVELS.index)


def files_hash(files: Mapping[str, str]) -> str:
    """SHA-256 over the files of a bundle, whatever their order.

    Args:
        files: sha256 by path.

    Returns:
        64 hexadecimal digits; the first 12 are the bundle's short hash.
    """
    return fingerprint(dict(files))
