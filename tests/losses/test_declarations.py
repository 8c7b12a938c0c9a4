"""What the built-in losses declare, and the hyper-parameters they refuse."""

import inspect

import pytest

import huse_bench as hb

PAPER = ["separate", "triplet", "cme", "adamine", "devise", "hie", "huse-p", "huse"]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("huse", {"alpha": 1.0, "beta": 1.0, "gamma": 1.0, "margin": 0.7, "relaxation": "and"}),
        ("huse-p", {"alpha": 1.0, "beta": 1.0, "gamma": 1.0}),
        ("triplet", {"margin": 0.5}),
        ("cme", {"margin": 0.1, "mismatch_probability": 0.8, "cosine_weight": 0.98, "class_weight": 0.01}),
        ("adamine", {"margin": 0.3, "semantic_weight": 0.1, "semantic_pairs": "first"}),
        ("devise", {"margin": 0.1, "normalize": True}),
        ("hie", {"class_weight": 0.1}),
        ("separate", {}),
    ],
)
def test_hyper_parameters_and_defaults(name, parameters):
    signature = inspect.signature(hb.load("loss", name))
    assert {key: parameter.default for key, parameter in signature.parameters.items()} == parameters


def test_rows_are_in_the_order_of_the_paper():
    classes = {name: hb.load("loss", name) for name in PAPER}
    assert sorted(PAPER, key=lambda name: classes[name].position) == PAPER
    assert [classes[name].title for name in PAPER if classes[name].semantic] == ["DeViSE*", "HIE*", "HUSE-P", "HUSE"]


@pytest.mark.parametrize("name", PAPER)
def test_space_holds_hyper_parameters_and_their_defaults(name):
    loss_class = hb.load("loss", name)
    parameters = inspect.signature(loss_class).parameters
    for key, distribution in loss_class.space.items():
        assert distribution.low <= parameters[key].default <= distribution.high


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("huse", {"beta": -1.0}, "beta must be at least 0, got -1.0"),
        ("huse", {"margin": float("nan")}, "margin must be at least 0, got nan"),
        ("huse", {"relaxation": "xor"}, "relaxation must be one of and, or, hinge, none, got 'xor'"),
        ("huse-p", {"gamma": -0.1}, "gamma must be at least 0, got -0.1"),
        ("triplet", {"margin": -0.5}, "margin must be at least 0, got -0.5"),
        ("cme", {"mismatch_probability": 1.5}, "mismatch_probability must be between 0 and 1, got 1.5"),
        ("adamine", {"semantic_pairs": "some"}, "semantic_pairs must be one of first, all, got 'some'"),
        ("devise", {"margin": -1.0}, "margin must be at least 0, got -1.0"),
        ("hie", {"class_weight": -1.0}, "class_weight must be at least 0, got -1.0"),
    ],
)
def test_refused_hyper_parameters(name, parameters, message):
    with pytest.raises(hb.errors.ConfigError, match=message):
        hb.load("loss", name)(**parameters)
