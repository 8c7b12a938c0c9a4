"""A conformance check, its outcome, and the report of a component's checks."""

from __future__ import annotations

import json
import textwrap
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from huse_bench.components import API_VERSION
from huse_bench.errors import ConfigError, ConformanceError, PluginError

__all__ = ["Check", "CheckFailure", "CheckSkip", "Group", "Outcome", "Report", "require_component", "run_checks"]

#: ``"api"`` is what the runner relies on; ``"strict"`` is what a sound component also has.
Group = Literal["api", "strict"]


class CheckFailure(Exception):  # noqa: N818  an outcome, which never leaves the kit as an exception
    """What a component does wrong, and what to do about it."""


class CheckSkip(Exception):  # noqa: N818  as CheckFailure
    """Why a check does not apply to a component."""


@dataclass(frozen=True)
class Check:
    """One property of a component.

    Attributes:
        name: of the check.
        group: who must have the property.
        summary: the property in one sentence.
        function: takes the subject and raises :class:`CheckFailure` or :class:`CheckSkip`.
    """

    name: str
    group: Group
    summary: str
    function: Callable[[Any], None]


@dataclass(frozen=True)
class Outcome:
    """How one check ended.

    Attributes:
        check: its name.
        group: its group.
        status: ``"expected-fail"`` is a failure that was announced with a reason.
        message: what is wrong and how to mend it, or why the check did not apply.
    """

    check: str
    group: Group
    status: Literal["passed", "failed", "skipped", "expected-fail"]
    message: str = ""


@dataclass(frozen=True)
class Report:
    """How the checks of one component ended.

    Attributes:
        subject: the component.
        outcomes: of each check that was asked for.
    """

    subject: str
    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        """Whether something was checked and nothing failed."""
        return self.count("passed") > 0 and not self.count("failed")

    def count(self, status: str) -> int:
        """How many checks ended like this."""
        return sum(outcome.status == status for outcome in self.outcomes)

    def as_json(self) -> str:
        """The report for a program."""
        counts = {status: self.count(status) for status in ("passed", "failed", "skipped", "expected-fail")}
        return json.dumps(
            {
                "subject": self.subject,
                "passed": self.passed,
                "counts": counts,
                "checks": [asdict(one) for one in self.outcomes],
            },
            indent=2,
        )

    def __str__(self) -> str:
        lines = []
        for one in self.outcomes:
            lines.append(f"{one.status:>13}  {one.check}{' (strict)' if one.group == 'strict' else ''}")
            lines += textwrap.wrap(one.message, 100, initial_indent=" " * 15, subsequent_indent=" " * 15)
        ran = self.count("passed") + self.count("failed") + self.count("expected-fail")
        lines.append(
            f"{self.subject}: ran {ran}, skipped {self.count('skipped')}, expected-fail {self.count('expected-fail')}, "
            f"failed {self.count('failed')}"
        )
        if not ran:
            lines.append("Nothing was checked, which is no pass.")
        return "\n".join(lines)

    def require(self) -> Report:
        """This report; raises ConformanceError with its text where it did not pass."""
        if not self.passed:
            raise ConformanceError(f"{self.subject} does not keep the contract:\n{self}")
        return self


def require_component(cls: object, *bases: type) -> None:
    """Raises CheckFailure unless the class is a titled component of one of these kinds, of this contract version."""
    named = " or ".join(f"huse_bench.{base.__name__}" for base in bases)
    if not (isinstance(cls, type) and issubclass(cls, bases)):
        raise CheckFailure(f"{cls!r} is no class derived from {named}")
    api = getattr(cls, "api", None)
    if api != API_VERSION:
        raise CheckFailure(f"it was written for version {api!r} of the contract, this is version {API_VERSION}")
    title = getattr(cls, "title", None)
    if not isinstance(title, str) or not title:
        raise CheckFailure('it has no title for the tables: add title = "..." to the class')


def run_checks(
    subject: str, given: Any, checks: Sequence[Check], expected_failed: Mapping[str, str] | None = None
) -> Report:
    """Run checks, each by itself.

    Args:
        subject: name of the component in the report.
        given: what each check is called with.
        checks: to run.
        expected_failed: reason by check, for checks that are known to fail. One that passes all the same is a
            failure: the announcement is out of date.

    Raises:
        ConfigError: if ``expected_failed`` names a check that there is not.
    """
    announced = dict(expected_failed or {})
    known = [check.name for check in checks]
    for name in announced:
        if name not in known:
            raise ConfigError(f"expected_failed names {name!r}, which is none of the checks: {', '.join(known)}")
    return Report(subject, tuple(_outcome(check, given, announced.get(check.name)) for check in checks))


def _outcome(check: Check, given: Any, reason: str | None) -> Outcome:
    try:
        with warnings.catch_warnings():
            # What a component is warned of, the checks find by themselves; as errors they would hide what that is.
            warnings.simplefilter("ignore")
            check.function(given)
    except CheckSkip as skip:
        return Outcome(check.name, check.group, "skipped", str(skip))
    except CheckFailure as failure:
        message = str(failure)
    except PluginError as error:
        message = str(error)
    except Exception as error:  # noqa: BLE001  whatever a component raises is an outcome
        frame = traceback.extract_tb(error.__traceback__)[-1]
        message = f"it raised {type(error).__name__}: {error} ({frame.filename}, line {frame.lineno})"
    else:
        if reason is None:
            return Outcome(check.name, check.group, "passed")
        return Outcome(
            check.name,
            check.group,
            "failed",
            f"it passes, but was expected to fail ({reason}): remove the announcement",
        )
    if reason is None:
        return Outcome(check.name, check.group, "failed", message)
    return Outcome(check.name, check.group, "expected-fail", f"{reason} ({message})")
