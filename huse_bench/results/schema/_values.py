"""What the parts of a run record are made of: kinds of values, and names."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from huse_bench.files import safe_name

__all__ = [
    "CHANCE_CONTROL",
    "CONTROL_PREFIX",
    "CONTROL_SECTION",
    "Count",
    "Json",
    "Name",
    "Part",
    "Said",
    "Sha256",
    "Share",
    "Title",
    "file_stem",
    "one_line",
]

#: How the names of controls begin: rows that show the floor and the ceiling, and that no method is compared with.
CONTROL_PREFIX = "control:"

#: The control whose numbers are those of chance.
CHANCE_CONTROL = f"{CONTROL_PREFIX}chance"

#: Part of the tables that controls stand in.
CONTROL_SECTION = "Controls"

#: A JSON value; the records' own settings keep NaN and infinity, which are no JSON, out of it.
Json = JsonValue


def file_stem(method: str, seed: int, fingerprint: str) -> str:
    """Name of a run's files, without their endings, of the method's name, the seed and the fingerprint."""
    return f"{safe_name(method)}-s{seed}-{fingerprint[:12]}"


def one_line(text: str) -> str:
    """A text with a space for each line break and each sign that steers a terminal."""
    return "".join(" " if unicodedata.category(sign) in ("Cc", "Zl", "Zp") else sign for sign in text)


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1)]
# A line break, or an escape of a terminal, would spoil every table.
Title = Annotated[Name, AfterValidator(one_line)]
# What an author says, shown wherever there is room for a sentence or two.
Said = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(one_line)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """What a record and each of its parts have in common: no unknown fields, no changes, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
