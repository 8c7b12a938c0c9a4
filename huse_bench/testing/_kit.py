"""The kit's entry points: a component in, a report out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from huse_bench.components import Dataset, ImageBackbone, Loss, TextBackbone
from huse_bench.errors import ConfigError, ConformanceError
from huse_bench.testing._backbones import BACKBONE_CHECKS, SubjectBackbone
from huse_bench.testing._check import Check, Report, run_checks
from huse_bench.testing._datasets import DATASET_CHECKS, SubjectDataset
from huse_bench.testing._learning import STRICT_CHECKS
from huse_bench.testing._losses import API_CHECKS
from huse_bench.testing._ranking import RANKING_CHECKS
from huse_bench.testing._scene import SubjectLoss
from huse_bench.testing._trackers import TRACKER_CHECKS, SubjectTracker

__all__ = ["check_backbone", "check_dataset", "check_loss", "check_tracker", "parametrize_with_checks", "report_on"]

# A tracker derives from nothing.
Component = type[Loss] | type[ImageBackbone] | type[TextBackbone] | type[Dataset] | type
Subject = SubjectLoss | SubjectBackbone | SubjectDataset | SubjectTracker


def check_loss(
    cls: type[Loss],
    parameters: Mapping[str, Any] | None = None,
    *,
    strict: bool = False,
    expected_failed: Mapping[str, str] | None = None,
) -> Report:
    """Check a loss against the contract.

    Args:
        cls: the class.
        parameters: arguments of its constructor where they differ from the defaults.
        strict: also check what a sound loss has: a right gradient, no dependence on the order of a batch, and that
            small trainings learn what can be learned and nothing else.
        expected_failed: reason by check, for checks that are known to fail.

    Returns:
        The report.

    Raises:
        ConformanceError: with the report, if a check failed or none ran.
        ConfigError: if ``expected_failed`` names a check that there is not.
    """
    return report_on(cls, SubjectLoss(cls, parameters or {}), strict=strict, expected_failed=expected_failed).require()


def check_backbone(
    cls: type[ImageBackbone | TextBackbone],
    reference: str | None = None,
    *,
    expected_failed: Mapping[str, str] | None = None,
) -> Report:
    """Check a backbone against the contract; its weights must be there.

    Args:
        cls: the class.
        reference: what stands behind the colon of its name, where it takes one.
        expected_failed: reason by check, for checks that are known to fail.

    Returns:
        The report.

    Raises:
        ConformanceError: with the report, if a check failed or none ran.
        ConfigError: if ``expected_failed`` names a check that there is not.
    """
    return report_on(cls, SubjectBackbone(cls, reference), expected_failed=expected_failed).require()


def check_dataset(
    cls: type[Dataset],
    data: Path | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    expected_failed: Mapping[str, str] | None = None,
) -> Report:
    """Check a dataset against the contract.

    Args:
        cls: the class.
        data: the user's copy, where it needs one.
        options: further arguments of its constructor.
        expected_failed: reason by check, for checks that are known to fail.

    Returns:
        The report.

    Raises:
        ConformanceError: with the report, if a check failed or none ran.
        ConfigError: if ``expected_failed`` names a check that there is not.
    """
    return report_on(cls, SubjectDataset(cls, data, options or {}), expected_failed=expected_failed).require()


def check_tracker(cls: type, *, expected_failed: Mapping[str, str] | None = None) -> Report:
    """Check a tracker against the contract. It is made, where its package is installed, and told of no run.

    Args:
        cls: the class.
        expected_failed: reason by check, for checks that are known to fail.

    Returns:
        The report.

    Raises:
        ConformanceError: with the report, if a check failed or none ran.
        ConfigError: if ``expected_failed`` names a check that there is not.
    """
    return report_on(cls, SubjectTracker(cls), expected_failed=expected_failed).require()


def report_on(
    cls: Component,
    subject: Subject,
    *,
    strict: bool = False,
    expected_failed: Mapping[str, str] | None = None,
) -> Report:
    """Run all checks of a component's kind, whatever comes of it; raises ConfigError as the functions above."""
    checks = _checks(subject, strict=strict)
    names = {check.name for check in checks}
    deviations = {name: reason for name, reason in _deviations(cls).items() if name in names}
    return run_checks(_name(cls), subject, checks, {**deviations, **(expected_failed or {})})


def parametrize_with_checks(
    components: Sequence[Component],
    *,
    strict: bool = False,
    expected_failed: Mapping[str, str] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A pytest decorator that makes one test of each check of each component; the test calls its argument ``check``.

    Args:
        components: classes that need no more than their constructors' defaults.
        strict: also the strict checks of losses.
        expected_failed: reason by check, which becomes a strict xfail of that test.

    Raises:
        ConfigError: if there are no components, or ``expected_failed`` names a check that there is not.
    """
    import pytest  # noqa: PLC0415  only tests need it

    if not components:
        raise ConfigError("there are no components to check")
    announced = dict(expected_failed or {})
    cases = []
    for cls in components:
        subject = _subject(cls)
        reasons = {**_deviations(cls), **announced}
        for check in _checks(subject, strict=strict):
            marks = [pytest.mark.xfail(reason=reasons[check.name], strict=True)] if check.name in reasons else []
            cases.append(pytest.param(_Case(cls, subject, check), id=f"{_name(cls)}-{check.name}", marks=marks))
    known = {case.values[0].check.name for case in cases}  # type: ignore[union-attr]
    for name in announced:
        if name not in known:
            raise ConfigError(
                f"expected_failed names {name!r}, which is none of the checks: {', '.join(sorted(known))}"
            )
    return pytest.mark.parametrize("check", cases)


class _Case:
    """One check of one component, as a function without arguments."""

    def __init__(self, cls: Component, subject: Any, check: Check) -> None:
        self.cls = cls
        self.subject = subject
        self.check = check

    def __call__(self) -> None:
        import pytest  # noqa: PLC0415  only tests need it

        (outcome,) = run_checks(_name(self.cls), self.subject, [self.check]).outcomes
        if outcome.status == "skipped":
            pytest.skip(outcome.message)
        if outcome.status == "failed":
            raise ConformanceError(f"{_name(self.cls)} fails {outcome.check}: {outcome.message}")


def _subject(cls: Component) -> Subject:
    if isinstance(cls, type) and issubclass(cls, Dataset):
        return SubjectDataset(cls)
    if isinstance(cls, type) and issubclass(cls, ImageBackbone | TextBackbone):
        return SubjectBackbone(cls)
    if isinstance(cls, type) and issubclass(cls, Loss):
        return SubjectLoss(cls, {})
    # Whatever their marks: what is wrong with them is for a check to say.
    if isinstance(cls, type) and any(name.startswith("huse_bench_") for name in dir(cls)):
        return SubjectTracker(cls)
    raise ConfigError(
        f"{cls!r} is no class derived from huse_bench.Loss, ImageBackbone, TextBackbone or Dataset, and none with hooks"
    )


def _checks(subject: Subject, *, strict: bool) -> tuple[Check, ...]:
    if isinstance(subject, SubjectBackbone):
        return BACKBONE_CHECKS
    if isinstance(subject, SubjectDataset):
        return DATASET_CHECKS
    if isinstance(subject, SubjectTracker):
        return TRACKER_CHECKS
    return (*API_CHECKS, *RANKING_CHECKS, *(STRICT_CHECKS if strict else ()))


def _deviations(cls: Component) -> Mapping[str, str]:
    """What a loss says of itself; nothing else has deviations by design."""
    return getattr(cls, "deviations", {})


def _name(cls: Component) -> str:
    return getattr(cls, "__qualname__", repr(cls))
