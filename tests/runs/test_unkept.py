"""What a loss remembers outside of its parameters and buffers is seen to change, and nothing else is."""

import collections

import numpy as np
import pytest
import torch

from huse_bench.runs.unkept import changed, memory_of


class Part(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3))
        self.register_buffer("counted", torch.zeros(1))
        self.register_buffer("passing", torch.zeros(1), persistent=False)
        self.number = 1
        self.text = "a"
        self.tensor = torch.ones(2, dtype=torch.bfloat16)
        self.array = np.zeros(2)
        self.nested = {"list": [1, (2, {3})], "other": None}
        self.drawing = torch.Generator().manual_seed(0)
        self.dice = np.random.default_rng(0)
        self.unknown = object()


class Whole(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.part = Part()


def set_tensor(part):
    part.tensor[0] = 2


def set_array(part):
    part.array[1] = 1


def set_nested(part):
    part.nested["list"][1][1].add(4)


CHANGES = {
    "part.number": lambda part: setattr(part, "number", 1.0),
    "part.text": lambda part: setattr(part, "text", "b"),
    "part.tensor": set_tensor,
    "part.array": set_array,
    "part.nested": set_nested,
    "part.drawing": lambda part: torch.rand(1, generator=part.drawing),
    "part.dice": lambda part: part.dice.random(),
    "part.passing": lambda part: part.passing.add_(1),
    "part.new": lambda part: setattr(part, "new", [None]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_in_no_state_dict_is_seen_to_change(name):
    whole = Whole()
    before = memory_of(whole)
    assert changed(before, memory_of(whole)) == []
    CHANGES[name](whole.part)
    assert changed(before, memory_of(whole)) == [name]


def test_parameters_buffers_and_the_mode_are_no_memory_of_this_kind():
    whole = Whole()
    before = memory_of(whole)
    whole.eval()
    with torch.no_grad():
        whole.part.weight += 1
        whole.part.counted += 1
    whole.part.unknown = object()
    assert changed(before, memory_of(whole)) == []


def test_rows_that_end_elsewhere_are_not_the_same():
    whole = Whole()
    whole.part.nested = [[1], 2]
    before = memory_of(whole)
    whole.part.nested = [[1, 2]]
    assert changed(before, memory_of(whole)) == ["part.nested"]
    whole.part.nested = [[1], collections.OrderedDict(), 2]
    assert changed(before, memory_of(whole)) == ["part.nested"]
