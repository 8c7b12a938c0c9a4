"""Freed memory is kept while it is asked for, and given back then."""

import platform
import subprocess
import sys

import pytest
import torch

from huse_bench.features._allocator import freed_memory_kept

MIB = 2**20

glibc = pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc",
    reason="the C library is not glibc",
)


# How many pages the system hands out while one tensor after the other is made and freed: before, while memory is kept,
# and after.
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


# What the process holds, in bytes: while many small tensors that are gone again are kept, and after; both above what it
# held before.
HELD = """
import psutil
import torch
from huse_bench.features._allocator import freed_memory_kept

def held():
    return psutil.Process().memory_info().rss

before = held()
with freed_memory_kept():
    parts = [torch.ones(2**20) for _ in range(64)]
    del parts
    print(held() - before)
print(held() - before)
"""


def numbers(program: str) -> list[int]:
    """What a program prints, in a process of its own: what other tests left free in the heap would need no pages."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return [int(line) for line in done.stdout.split()]


@glibc
def test_memory_comes_from_the_system_once():
    before, kept, after = numbers(COUNTED)
    # Pages have 4 KiB, or 2 MiB where the system makes large ones of them; a tensor has 64 MiB.
    assert before >= 8 * 64 / 2
    assert kept < before / 4
    assert after > before / 16


@glibc
def test_what_was_kept_is_given_back():
    kept, after = numbers(HELD)
    assert kept > 128 * MIB
    assert after < 64 * MIB


def test_where_the_allocator_is_another_nothing_happens(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with freed_memory_kept():
        assert torch.ones(3).sum() == 3


def test_an_error_inside_comes_out():
    with pytest.raises(ZeroDivisionError), freed_memory_kept():
        _ = 1 / 0
