"""All built-in losses keep the contract, strict checks included; so do trackers, and what is here of the others."""

from pathlib import Path

import pytest

import huse_bench as hb
from huse_bench.discovery import components
from huse_bench.testing import check_backbone, check_dataset, parametrize_with_checks

BUILT_IN = Path(__file__).parents[2] / "plugins" / "huse_bench_losses"
LOSSES = [hb.load("loss", one.name) for one in components("loss") if one.distribution == "huse-bench"]


TRACKERS = [hb.load("tracker", one.name) for one in components("tracker") if one.distribution == "huse-bench"]


@parametrize_with_checks(TRACKERS)
def test_tracker(check):
    check()


@parametrize_with_checks(LOSSES, strict=True)
def test_loss(check):
    check()


def test_every_loss_of_the_package_is_checked():
    modules = {path.stem for path in BUILT_IN.glob("[a-z]*.py")}
    assert modules == {cls.__module__.rpartition(".")[2] for cls in LOSSES}


@pytest.mark.parametrize("name", ["emoji", "clipart", "icons"])
def test_shipped_dataset(name):
    assert check_dataset(hb.load("dataset", name)).count("failed") == 0


@pytest.mark.parametrize("name", ["efficientnet-lite0", "minilm", "use"])
def test_backbone(name):
    assert check_backbone(hb.load("backbone", name)).count("failed") == 0
