"""The conformance kit: whether a component keeps the contract, and what to mend where it does not.

In a test of your own::

    from huse_bench.testing import check_loss

    def test_my_loss():
        check_loss(MyLoss, strict=True)

or, a test for each check::

    from huse_bench.testing import parametrize_with_checks

    @parametrize_with_checks([MyLoss, MyOtherLoss], strict=True)
    def test_conformance(check):
        check()

``huse-bench plugins check NAME`` does the same for an installed component.
"""

from huse_bench.testing._check import Check, Outcome, Report
from huse_bench.testing._kit import (
    check_backbone,
    check_dataset,
    check_loss,
    check_tracker,
    parametrize_with_checks,
)

__all__ = [
    "Check",
    "Outcome",
    "Report",
    "check_backbone",
    "check_dataset",
    "check_loss",
    "check_tracker",
    "parametrize_with_checks",
]
