import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import huse_bench
from huse_bench import errors
from huse_bench.errors import UsageError

PUBLIC = [name for name in huse_bench.__all__ if name != "__version__"]


def test_all_is_sorted_and_what_dir_shows():
    assert huse_bench.__all__ == sorted(huse_bench.__all__)
    assert dir(huse_bench) == huse_bench.__all__


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_resolves(name):
    value = getattr(huse_bench, name)
    assert value is getattr(huse_bench, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__name__ == name
        assert value.__doc__


def test_type_checkers_are_told_of_each_name_where_it_is():
    tree = ast.parse(Path(huse_bench.__file__).read_text())
    told = {}
    for statement in ast.walk(tree):
        if isinstance(statement, ast.ImportFrom) and statement.col_offset:
            told |= {alias.name: statement.module.removeprefix("huse_bench.") for alias in statement.names}
    expected = huse_bench._MODULES | dict.fromkeys(huse_bench._SUBMODULES, "huse_bench")
    assert {name: told[name] for name in expected} == expected
    assert set(expected) | {"HuseBenchError", "__version__", "errors"} == set(huse_bench.__all__)


def test_each_error_is_exported_by_the_errors_module():
    defined = {name for name, value in vars(errors).items() if inspect.isclass(value)}
    assert defined == set(errors.__all__)
    assert all(issubclass(getattr(errors, name), huse_bench.HuseBenchError) for name in defined)


@pytest.mark.parametrize("statement", ["import huse_bench", "from huse_bench import hookimpl, load, errors, Uniform"])
def test_importing_is_light(statement):
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"torch", "numpy", "pandas", "huse_bench.components"}


def test_unknown_name_lists_what_there_is():
    with pytest.raises(AttributeError, match=r"'huse_bench' has no attribute 'lode'; it has Batch, .*, load, "):
        _ = huse_bench.lode


def test_version_is_that_of_the_distribution(monkeypatch, tmp_path):
    info = tmp_path / "huse_bench-9.8.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: huse-bench\nVersion: 9.8\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert huse_bench.__version__ == "9.8"


def test_version_without_an_installation_says_to_install(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(UsageError, match=r"not installed.*pip install -e \."):
        _ = huse_bench.__version__
