"""``huse-bench plugins check``: the conformance kit on what is installed."""

import json
import sys

import pytest
from click.testing import CliRunner

from huse_bench.cli import cli
from huse_bench.errors import UnknownComponentError, UsageError


def check(*arguments):
    return CliRunner().invoke(cli, ["plugins", "check", *arguments])


def test_a_loss_that_keeps_the_contract():
    result = check("siglip")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == "       passed  declares"
    assert result.stdout.splitlines()[-1] == "SigLIP: ran 15, skipped 5, expected-fail 0, failed 0"


def test_a_deviation_by_design_is_shown_with_its_reason_and_is_no_failure():
    result = check("adamine", "--strict", "--json")
    assert result.exit_code == 0, result.output
    outcomes = {one["check"]: one for one in json.loads(result.stdout)["checks"]}
    assert outcomes["ignores_the_order"]["status"] == "expected-fail"
    assert "the released rule takes the first other item" in outcomes["ignores_the_order"]["message"]


@pytest.mark.usefixtures("toy")
def test_a_loss_that_does_not_exits_with_1_and_says_what_to_mend():
    result = check("vector")
    assert result.exit_code == 1
    lines = " ".join(result.stdout.split())
    assert "failed named_scalars the term 'gap' of Vector has shape (12,): take the mean over the batch" in lines
    assert "failed documented the class has no docstring" in lines


@pytest.mark.usefixtures("toy")
def test_a_dataset():
    result = check("toy")
    assert result.exit_code == 0, result.output
    assert "Toy: ran 6, skipped 2" in result.stdout


def test_a_tracker_whose_package_is_not_here_is_checked_as_far_as_it_goes(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    result = check("tensorboard")
    assert result.exit_code == 0, result.output
    assert "TensorBoard needs the package 'tensorboard'" in " ".join(result.stdout.split())
    assert result.stdout.splitlines()[-1] == "TensorBoard: ran 3, skipped 1, expected-fail 0, failed 0"


def refused(error, *arguments):
    result = check(*arguments)
    assert isinstance(result.exception, error)
    assert not result.stdout
    return str(result.exception)


def test_what_is_refused():
    unknown = refused(UnknownComponentError, "nobody")
    assert "no loss, backbone, dataset or tracker is named 'nobody'. Known: adamine, " in unknown
    assert "--data is for datasets, and 'huse' is a loss" in refused(UsageError, "huse", "--data", ".")
    assert "--strict is for losses, and 'emoji' is a dataset" in refused(UsageError, "emoji", "--strict")
    assert "no dataset is named 'huse'" in refused(UnknownComponentError, "huse", "--kind", "dataset")
