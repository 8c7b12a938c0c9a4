"""The examples in docstrings give what they say."""

import doctest
import inspect
from importlib import import_module
from pathlib import Path

import pytest

import huse_bench
import huse_bench.evaluation
import huse_bench.kernels

ROOT = Path(huse_bench.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    for path in ROOT.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module(name):
    found = doctest.testmod(import_module(name))
    assert found.attempted > 0
    assert found.failed == 0


def does_something(public):
    """Functions, and classes that are called as functions are; the others are what functions give or take."""
    return inspect.isfunction(public) or (inspect.isclass(public) and "__call__" in vars(public))


PUBLIC = [
    pytest.param(getattr(package, name), id=f"{package.__name__}.{name}")
    for package in (huse_bench.evaluation, huse_bench.kernels)
    for name in package.__all__
    if does_something(getattr(package, name))
]


@pytest.mark.parametrize("public", PUBLIC)
def test_each_public_kernel_and_metric_has_an_example(public):
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(public) or "")
    assert any(example.want for example in examples), "add an Examples section to the docstring, with a result"


def test_what_is_public_was_found():
    assert len(PUBLIC) > 20
