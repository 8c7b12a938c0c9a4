"""Each public function of the evaluation and of the kernels has an example in its docstring, and it is right."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import huse_bench.evaluation
import huse_bench.kernels

PACKAGES = (huse_bench.evaluation, huse_bench.kernels)


def does_something(public):
    """Functions, and classes that are called as functions are; the others are what functions give or take."""
    return inspect.isfunction(public) or (inspect.isclass(public) and "__call__" in vars(public))


PUBLIC = [
    pytest.param(getattr(package, name), id=f"{package.__name__}.{name}")
    for package in PACKAGES
    for name in package.__all__
    if does_something(getattr(package, name))
]
MODULES = [
    f"{package.__name__}.{module.name}"
    for package in PACKAGES
    for module in pkgutil.iter_modules(package.__path__)
    if not module.ispkg
]


@pytest.mark.parametrize("public", PUBLIC)
def test_each_public_name_has_an_example(public):
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(public) or "")
    assert any(example.want for example in examples), "add an Examples section to the docstring, with a result"


@pytest.mark.parametrize("module", MODULES)
def test_examples_give_what_they_say(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_what_is_public_was_found():
    assert len(PUBLIC) > 20
    assert {"huse_bench.kernels.graph_loss", "huse_bench.evaluation.metrics"} <= set(MODULES)
