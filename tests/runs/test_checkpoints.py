"""Checkpoints as files: what is written is read again, and what is torn, foreign or of another format is not."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save

from huse_bench.errors import ResultsError
from huse_bench.runs.checkpoints import Checkpoints

RUN = "ab" * 32
STATE = {
    "weights": torch.arange(6.0).reshape(2, 3),
    "optimizer": {"state": {0: {"step": torch.tensor(3.0)}, 1: {}}, "betas": (0.9, 0.999)},
    "random": torch.arange(5, dtype=torch.uint8),
    "empty": torch.empty(0, dtype=torch.int64),
    "rate": 0.1 + 0.2,
    "nothing": None,
    "lines": ["{}", "é"],
}


def same(one, other):
    """Whether two states are alike in every type and bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run.checkpoint"


@pytest.fixture
def checkpoints(folder):
    return Checkpoints(folder, RUN)


def read(folder, run=RUN):
    return Checkpoints(folder, run).newest()


def written(folder, count=2):
    """The files of so many checkpoints, oldest first; the state says the step."""
    checkpoints = Checkpoints(folder, RUN)
    for step in range(1, count + 1):
        checkpoints.write(step, {**STATE, "step": step})
    return sorted(folder.iterdir())


plain = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | st.text()
arrays = st.builds(
    lambda shape, dtype: torch.arange(shape[0] * shape[1]).reshape(shape).to(dtype),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool]),
)
trees = st.recursive(
    plain | arrays,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(state=st.dictionaries(st.text(), trees, max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_in_every_type_and_bit(state, folder):
    shutil.rmtree(folder, ignore_errors=True)
    Checkpoints(folder, RUN).write(7, state)
    found, problems = read(folder)
    assert problems == []
    assert same(found, state)


def test_a_tensor_under_two_names_is_stored_once_and_one_that_is_no_block_of_memory_is_whole(checkpoints, folder):
    weight = torch.randn(4, 300)
    size = checkpoints.write(1, {"one": weight, "two": weight, "turned": weight.T})
    found, _ = read(folder)
    assert torch.equal(found["one"], weight)
    assert torch.equal(found["two"], weight)
    assert torch.equal(found["turned"], weight.T)
    assert size < 2.5 * weight.numel() * 4


def test_the_file_is_plain_safetensors_and_json(checkpoints, folder):
    size = checkpoints.write(3, STATE)
    (path,) = folder.iterdir()
    assert path.stat().st_size == size
    assert any(torch.equal(tensor, STATE["weights"]) for tensor in load_file(path).values())
    with safe_open(path, "pt") as file:
        document = json.loads(file.metadata()["huse-bench"])
    assert (document["format"], document["fingerprint"], document["step"]) == (1, RUN, 3)


def test_the_last_two_are_kept_and_remains_of_killed_processes_are_not(folder):
    folder.mkdir()
    (folder / ".tmp-0123-step").write_bytes(b"half")
    paths = written(folder, 4)
    assert [path.name[:14] for path in paths] == ["step-000000003", "step-000000004"]


def test_there_is_none_at_first_and_none_when_they_are_removed(checkpoints, folder):
    assert read(folder) == (None, [])
    checkpoints.remove()
    checkpoints.write(1, STATE)
    checkpoints.remove()
    assert not folder.exists()


@given(where=st.floats(0, 1, exclude_max=True), how=st.sampled_from(["flip", "cut", "more", "empty"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_checkpoint_that_is_damaged_anywhere_is_left_out_for_the_one_before(where, how, folder):
    shutil.rmtree(folder, ignore_errors=True)
    first, last = written(folder)
    contents = bytearray(last.read_bytes())
    place = int(where * len(contents))
    if how == "flip":
        contents[place] ^= 1
    last.write_bytes({"cut": contents[:place], "more": contents + b"\0", "empty": b""}.get(how, contents))
    state, problems = read(folder)
    assert state["step"] == 1
    assert problems == [f"the checkpoint {last} is left out: it is torn or was changed"]
    first.write_bytes(b"")
    state, problems = read(folder)
    assert state is None
    assert len(problems) == 2


def test_the_next_checkpoint_stands_beside_the_good_one_and_not_beside_the_damaged(folder):
    _, last = written(folder)
    last.write_bytes(b"")
    checkpoints = Checkpoints(folder, RUN)
    assert checkpoints.newest()[0]["step"] == 1
    checkpoints.write(2, {**STATE, "step": 2})
    assert [path.name[:14] for path in sorted(folder.iterdir())] == ["step-000000001", "step-000000002"]
    assert read(folder)[0]["step"] == 2


def test_that_of_another_run_is_left_out(folder):
    _, last = written(folder)
    state, problems = read(folder, "cd" * 32)
    assert state is None
    assert problems[0] == f"the checkpoint {last} is left out: it is of another run"


def test_that_of_another_format_is_left_out(folder, monkeypatch):
    monkeypatch.setattr("huse_bench.runs.checkpoints.FORMAT", 2)
    Checkpoints(folder, RUN).write(1, STATE)
    monkeypatch.undo()
    state, (problem,) = read(folder)
    assert state is None
    assert problem.endswith("it has format 2, and this huse-bench reads format 1")


def test_a_foreign_file_is_left_out_whatever_it_holds(folder):
    import hashlib

    folder.mkdir()
    for number, contents in enumerate([b"", b"\xff" * 40, save({}), save({}, {"huse-bench": "[]"})]):
        digits = hashlib.sha256(contents).hexdigest()[:16]
        (folder / f"step-{number:09d}-{digits}.safetensors").write_bytes(contents)
    state, problems = read(folder)
    assert state is None
    assert len(problems) == 4


@pytest.mark.parametrize("value", [object(), {1.5: 1}, {"deep": [b"bytes"]}])
def test_what_a_file_without_code_cannot_hold_is_refused_before_anything_is_written(value, checkpoints, folder):
    with pytest.raises(ResultsError, match="a checkpoint holds tensors and plain values alone"):
        checkpoints.write(1, {"loss": value})
    assert not folder.exists()


FULL = """
import sys, torch
from pathlib import Path
from huse_bench.errors import ResultsError
from huse_bench.runs.checkpoints import Checkpoints
checkpoints = Checkpoints(Path(sys.argv[1]), "ab" * 32)
for step in range(1, 5):
    try:
        checkpoints.write(step, {"step": step, "much": torch.zeros(int(sys.argv[2]) // 4)})
        print(step)
    except ResultsError as error:
        print(error)
"""


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "huse-bench-test", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False) if shutil.which("mount") else None
    if done is None or done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip() if done else 'no mount'}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def checkpoints_of(size, folder):
    command = [sys.executable, "-c", FULL, str(folder), str(size)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_on_a_full_disk_the_older_makes_room_for_the_new_one(small_disk):
    # Two fit, and three do not.
    folder = small_disk / "run.checkpoint"
    assert checkpoints_of(400_000, folder) == ["1", "2", "3", "4"]
    assert read(folder)[0]["step"] == 4


def test_on_a_full_disk_the_last_good_one_stays(small_disk):
    folder = small_disk / "run.checkpoint"
    lines = checkpoints_of(700_000, folder)
    assert lines[0] == "1"
    assert lines[1:] == [f"cannot write to {folder} (No space left on device)"] * 3
    assert read(folder)[0]["step"] == 1
    assert len(list(folder.iterdir())) == 1


def test_in_a_folder_that_cannot_be_written_to_the_last_good_one_stays(folder):
    written(folder)
    if os.geteuid() == 0:
        # Permissions do not bind root: a file where the folder was does.
        whole = folder.rename(folder.with_name("before"))
        folder.write_bytes(b"")
        with pytest.raises(ResultsError, match="cannot write to"):
            Checkpoints(folder, RUN).write(3, STATE)
        folder.unlink()
        whole.rename(folder)
    else:
        folder.chmod(0o500)
        with pytest.raises(ResultsError, match="cannot write to"):
            Checkpoints(folder, RUN).write(3, STATE)
        folder.chmod(0o700)
    assert read(folder)[0]["step"] == 2
