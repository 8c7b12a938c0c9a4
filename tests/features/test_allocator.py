"""Freed memory is kept while it is asked for, and given back then."""

import platform
import resource
import sys

import psutil
import pytest
import torch

from huse_bench.features._allocator import freed_memory_kept

MIB = 2**20
SIZE = 64 * MIB

glibc = pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc",
    reason="the C library is not glibc",
)


def faults():
    """How many pages the system hands out while one tensor after the other is made and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        torch.ones(SIZE // 4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@glibc
def test_memory_comes_from_the_system_once():
    before = faults()
    with freed_memory_kept():
        # The first ones find their places.
        faults()
        kept = faults()
    # Pages have 4 KiB, or 2 MiB where the system makes large ones of them.
    assert before >= 8 * SIZE / (2 * MIB)
    assert kept < before / 4
    # Some of them may find a place that others, freed long before, left in the heap.
    assert faults() > max(kept, before / 16)


@glibc
def test_what_was_kept_is_given_back():
    process = psutil.Process()
    before = process.memory_info().rss
    with freed_memory_kept():
        parts = [torch.ones(MIB) for _ in range(64)]
        del parts
        assert process.memory_info().rss - before > 128 * MIB
    assert process.memory_info().rss - before < 64 * MIB


def test_where_the_allocator_is_another_nothing_happens(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with freed_memory_kept():
        assert torch.ones(3).sum() == 3


def test_an_error_inside_comes_out():
    with pytest.raises(ZeroDivisionError), freed_memory_kept():
        _ = 1 / 0
