"""Users who can write neither beside the sources nor to a home: containers, and clusters' shared installations."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import huse_bench
from huse_bench.errors import ConfigError
from huse_bench.features.cache import Cache

SETTINGS = ("NUMBA_CACHE_DIR", "NUMBA_DISABLE_JIT", "XDG_CACHE_HOME")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in SETTINGS}

MODULE = """
from huse_bench.compiling import is_kept, njit

@njit(cache=True, nogil=True)
def double(x):
    return 2 * x

print(double(21), is_kept())
"""


@pytest.fixture
def call(tmp_path):
    """Compile in a new process, in a folder whose __pycache__ nobody can write to: not even root, for it is a file."""
    (tmp_path / "module.py").write_text(MODULE)
    (tmp_path / "__pycache__").write_text("")

    def run(**variables):
        done = subprocess.run(
            [sys.executable, "module.py"], cwd=tmp_path, env=ENVIRONMENT | variables, check=True, capture_output=True
        )
        return tuple(done.stdout.decode().split())

    return run


def test_code_is_kept_where_there_is_a_home(call, tmp_path):
    assert call(HOME=str(tmp_path / "home")) == ("42", "True")
    assert list((tmp_path / "home").rglob("module.double-*.nbi"))


# What the home of a user is called who has none.
@pytest.mark.parametrize("home", ["/dev/null/none", "~"])
def test_code_is_compiled_where_it_cannot_be_kept(call, tmp_path, home):
    assert call(HOME=home) == ("42", "False")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["__pycache__", "module.py"]


def test_a_folder_can_be_named(call, tmp_path):
    assert call(HOME="~", NUMBA_CACHE_DIR=str(tmp_path / "kept")) == ("42", "True")
    assert list((tmp_path / "kept").rglob("module.double-*.nbi"))


def test_no_module_compiles_in_another_way():
    sources = {path: path.read_text(encoding="utf-8") for path in Path(huse_bench.__file__).parent.rglob("*.py")}
    assert [path.name for path, text in sources.items() if "numba.njit" in text or "from numba" in text] == [
        "compiling.py"
    ]


def test_a_run_says_that_code_is_not_kept(toy):
    (toy / "quick.toml").write_text("[training]\nsteps = 5\nbatch_size = 32\nwidth = 16\nembedding_dim = 8\n")
    done = subprocess.run(
        [sys.executable, "-m", "huse_bench", "run", "--dataset", "toy", "--methods", "gap", "--config", "quick.toml"],
        env=ENVIRONMENT | {"HOME": "~", "PYTHONPATH": os.environ["PYTHONPATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("name a folder in the environment variable NUMBA_CACHE_DIR") == 1
    assert sorted(path.name for path in toy.iterdir()) == ["quick.toml", "results"]


def test_features_need_a_place_only_where_they_are_kept(monkeypatch):
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HUSE_BENCH_CACHE", raising=False)
    cache = Cache()
    with pytest.raises(ConfigError, match=r"no home folder .*; name a folder in the environment variable HUSE_BENCH"):
        cache.entries()
