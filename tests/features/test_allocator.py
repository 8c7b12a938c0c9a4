"""Freed memory is kept while it is asked for, and given back then."""

import platform
import subprocess
import sys

import psutil
import pytest
import torch

from huse_bench.features._allocator import freed_memory_kept

MIB = 2**20

glibc = pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc",
    reason="the C library is not glibc",
)


# How many pages the system hands out while one tensor after the other is made and freed: before, while memory is kept,
# and after. In a process of its own, for what others left free in the heap needs no pages.
COUNTED = """
import resource
import torch
from huse_bench.features._allocator import freed_memory_kept

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults())
with freed_memory_kept():
    # The first ones find their places.
    faults()
    print(faults())
print(faults())
"""


@glibc
def test_memory_comes_from_the_system_once():
    done = subprocess.run([sys.executable, "-c", COUNTED], capture_output=True, text=True, check=True)
    before, kept, after = map(int, done.stdout.split())
    # Pages have 4 KiB, or 2 MiB where the system makes large ones of them; a tensor has 64 MiB.
    assert before >= 8 * 64 / 2
    assert kept < before / 4
    assert after > before / 16


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
