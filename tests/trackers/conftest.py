"""Trackers that are installed for a test, and runs that they watch."""

import json
import sys
from textwrap import dedent

import pytest

import huse_bench as hb
from huse_bench import discovery

#: Writes what it is told to a file of the working folder, and fails where another file asks for it.
DIARY = """
import json
import os
from pathlib import Path

from huse_bench import hookimpl


def _write(*told):
    with Path("diary.jsonl").open("a") as file:
        file.write(json.dumps([os.getpid(), *told]) + "\\n")
    if Path("fails").is_file() and Path("fails").read_text() == told[0]:
        raise OSError("no diary")


class Diary:
    def __init__(self):
        _write("made")

    @hookimpl
    def huse_bench_run_start(self, spec):
        _write("start", spec.method.name, spec.seed)

    @hookimpl
    def huse_bench_run_measured(self, spec, step, losses, validation):
        _write("measured", spec.method.name, spec.seed, step, dict(losses), dict(validation))

    @hookimpl
    def huse_bench_run_finished(self, record):
        _write("finished", record.method.name, record.seed)

    @hookimpl
    def huse_bench_run_failed(self, spec, error):
        _write("failed", spec.method.name, spec.seed, str(error))

    @hookimpl
    def huse_bench_run_stopped(self, spec):
        _write("stopped", spec.method.name, spec.seed)


class Deaf:
    pass


class Misspelt:
    @hookimpl
    def huse_bench_run_strat(self, spec):
        pass


class Needs(Diary):
    def __init__(self):
        raise KeyError("token")
"""


@pytest.fixture
def tracker(toy):
    """Installs trackers by name from a source."""

    def install(source=DIARY, **names):
        names = names or {"diary": "Diary", "deaf": "Deaf", "misspelt": "Misspelt", "needs": "Needs"}
        info = toy.parent / "site" / "diaries-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: diaries\nVersion: 1.0\n")
        lines = [f"{name} = diary_trackers:{cls}" for name, cls in names.items()]
        (info / "entry_points.txt").write_text("\n".join(["[huse_bench.trackers]", *lines, ""]))
        (toy.parent / "site" / "diary_trackers.py").write_text(dedent(source))
        discovery.refresh()

    yield install
    # Another test's trackers have the module's name too.
    sys.modules.pop("diary_trackers", None)


@pytest.fixture
def diary(toy):
    """What a diary was told, without the processes that it was told in."""

    def read():
        lines = (toy / "diary.jsonl").read_text().splitlines()
        return [json.loads(line)[1:] for line in lines]

    return read


@pytest.fixture
def run(toy, quick_training):  # noqa: ARG001 - toy puts the dataset on the path
    """Runs a method on the toy data."""

    def call(methods=("huse",), **options):
        return hb.run(methods, "toy", training=quick_training, **options)

    return call
