"""Each engine, with small tasks: answers, threads, failing tasks, lost workers, an end in the middle of the work."""

import json
import os
import time
from importlib import import_module
from pathlib import Path

import psutil
import pytest

from huse_bench.errors import ConfigError, EngineError, MissingExtraError
from huse_bench.execution import Task, check_engine, open_engine
from huse_bench.execution.threads import environment, limited, threads_each

WORK = """
import json, os, time
from pathlib import Path

def facts(text):
    import numba, torch
    from huse_bench.execution.threads import limited
    with limited(1):
        threads = [torch.get_num_threads(), numba.get_num_threads()]
    print("to standard output")
    return json.dumps({"text": text, "pid": os.getpid(), "threads": threads, "omp": os.environ["OMP_NUM_THREADS"]})

def die_once(marker):
    path = Path(marker)
    if not path.exists():
        path.touch()
        os.kill(os.getpid(), 9)
    return "alive"

def fail():
    raise ZeroDivisionError("oh no")

def wait(folder):
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(600)
"""
# The libraries leave some of their own files and processes to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

PACKAGES = {"dask": "distributed", "ray": "ray", "slurm": "submitit"}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    (folder / "work.py").write_text(WORK)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
        yield import_module("work")


@pytest.fixture(scope="module", params=["loky", "dask", "ray", "slurm"])
def cluster(request, work, clusters):  # noqa: ARG001 - workers inherit the path
    """An engine's name and the address of a real cluster of two workers, where it needs one."""
    with clusters[request.param]() as address:
        yield request.param, address


@pytest.fixture
def engine(cluster, tmp_path):
    """An engine with two slots."""
    name, address = cluster
    opened = open_engine(name, jobs=2, address=address, options={}, gpu=False, folder=tmp_path / "engine")
    yield opened
    opened.close(stop=True)


def results(engine, count):
    ended = []
    while len(ended) < count:
        ended += engine.ended(1.0)
    return sorted(ended, key=lambda each: each.key)


def test_tasks_are_done_in_other_processes_and_their_answers_come(engine, work):
    for number in range(2):
        engine.submit(Task(f"task-{number}", work.facts, (f"text {number}",)))
    found = [json.loads(each.answer) for each in results(engine, 2)]
    assert [each["text"] for each in found] == ["text 0", "text 1"]
    assert os.getpid() not in {each["pid"] for each in found}
    assert [each["threads"] for each in found] == [[1, 1]] * 2
    assert engine.ended(0.0) == []


def test_a_lost_worker_is_told_or_its_task_done_by_another_and_the_slot_goes_on(engine, work, tmp_path):
    engine.submit(Task("first", work.die_once, (str(tmp_path / "marker"),)))
    (ended,) = results(engine, 1)
    if ended.lost is not None:
        assert ended.answer is None
        engine.submit(Task("second", work.die_once, (str(tmp_path / "marker"),)))
        (ended,) = results(engine, 1)
    assert ended.answer == "alive"


def test_a_task_that_cannot_be_done_is_an_error_that_says_what_to_do(engine, work):
    engine.submit(Task("task", work.fail, ()))
    with pytest.raises(EngineError, match=r"(?s)cannot do what it was given .*oh no.*Install the same huse-bench"):
        results(engine, 1)


def test_what_is_at_work_is_stopped(engine, work, tmp_path):
    folder = tmp_path / "pids"
    folder.mkdir()
    engine.submit(Task("task", work.wait, (str(folder),)))
    while not (found := list(folder.iterdir())):
        time.sleep(0.05)
    worker = psutil.Process(int(found[0].name))
    engine.close(stop=True)
    if type(engine).__name__ != "DaskCluster":
        worker.wait(timeout=30)
        assert not worker.is_running()


def test_cores_are_divided():
    cores = len(os.sched_getaffinity(0))
    assert threads_each(10 * cores) == 1
    with limited(1):
        assert threads_each(1) == 1
    assert environment(3, "1") == {
        "OMP_NUM_THREADS": "3",
        "MKL_NUM_THREADS": "3",
        "OPENBLAS_NUM_THREADS": "3",
        "NUMBA_NUM_THREADS": "3",
        "CUDA_VISIBLE_DEVICES": "1",
    }


@pytest.mark.parametrize(
    ("name", "address", "options", "message"),
    [
        ("loky", "tcp://here", {}, r"processes of this machine and has no address; 'tcp://here' was given"),
        ("loky", None, {"num_cpus": 2}, r"'loky' takes no engine options, and these were given: num_cpus"),
        ("dask", None, {}, r"needs the address of a scheduler: --address tcp://HOST:8786"),
        ("slurm", "login1", {}, r"has no address but 'local', .*; 'login1' was given"),
    ],
)
def test_what_an_engine_does_not_take_is_refused(name, address, options, message):
    with pytest.raises(ConfigError, match=message):
        check_engine(name, address, options)


@pytest.mark.parametrize(("name", "package"), PACKAGES.items())
def test_a_missing_package_names_its_extra(name, package, monkeypatch):
    monkeypatch.setattr("huse_bench.execution.opening.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=rf"'{package}', .* pip install 'huse-bench\[{name}\]'"):
        check_engine(name, "tcp://here:1" if name == "dask" else None, {})


def test_there_must_be_a_cluster(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("huse_bench.execution.dask_cluster._CONNECT_SECONDS", 1)
    with pytest.raises(EngineError, match=r"there is no Dask scheduler at tcp://127.0.0.1:9 .*dask scheduler"):
        open_engine("dask", jobs=1, address="tcp://127.0.0.1:9", options={}, gpu=False, folder=tmp_path)


def test_there_must_be_slurm(tmp_path):
    pytest.importorskip("submitit")
    with pytest.raises(EngineError, match=r"there is no Slurm here .*--engine slurm --address local"):
        open_engine("slurm", jobs=1, address=None, options={}, gpu=False, folder=tmp_path)


@pytest.mark.parametrize(("name", "library"), [("ray", "Ray"), ("slurm", "submitit")])
def test_options_that_a_cluster_does_not_know_are_refused(name, library, tmp_path):
    pytest.importorskip(PACKAGES[name])
    address = "local" if name == "slurm" else "127.0.0.1:9"
    with pytest.raises(ConfigError, match=rf"{library} refuses the engine options {{'colour': 'red'}}"):
        open_engine(name, jobs=1, address=address, options={"colour": "red"}, gpu=False, folder=Path(tmp_path))
