"""Pydantic's faults in words."""

import pytest
from pydantic import BaseModel, Field, ValidationError, model_validator

from huse_bench.faults import first_fault


class Inner(BaseModel):
    steps: list[int]


class Outer(BaseModel):
    inner: Inner
    low: int = Field(0, ge=0)
    high: int = 1

    @model_validator(mode="after")
    def _ordered(self):
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"inner": {"steps": [1, "x"]}},
            "inner.steps.1: Input should be a valid integer, unable to parse",
        ),
        ({"low": -1}, "inner: Field required (and 1 more)"),
        ({"inner": {"steps": []}, "low": 2}, "the file: low is above high"),
    ],
)
def test_the_first_fault_with_its_place(fields, words):
    with pytest.raises(ValidationError) as error:
        Outer.model_validate(fields)
    assert first_fault(error.value, "the file").startswith(words)
