"""What a command relies on in a tracker, as far as it can be told without a run that is logged somewhere."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from huse_bench.discovery import TRACKER_HOOKS, hooks_of
from huse_bench.errors import MissingExtraError
from huse_bench.testing._check import Check, CheckFailure, CheckSkip

__all__ = ["TRACKER_CHECKS", "SubjectTracker"]


@dataclass
class SubjectTracker:
    """The tracker to check.

    Attributes:
        cls: its class.
    """

    cls: type


def _declares(subject: SubjectTracker) -> None:
    if not isinstance(subject.cls, type):
        raise CheckFailure(f"{subject.cls!r} is no class")
    hooks_of(subject.cls)


def _told_of_runs(subject: SubjectTracker) -> None:
    if others := ", ".join(name for name in hooks_of(subject.cls) if name not in TRACKER_HOOKS):
        raise CheckFailure(
            f"no tracker is called for {others}: put this into a hook plugin, with an entry point of the group "
            f"huse_bench; trackers are called for {', '.join(TRACKER_HOOKS)}"
        )


def _can_be_called(subject: SubjectTracker) -> None:
    for name, function in hooks_of(subject.cls).items():
        if (
            inspect.iscoroutinefunction(function)
            or inspect.isgeneratorfunction(function)
            or inspect.isasyncgenfunction(function)
        ):
            raise CheckFailure(f"{name} is called and its result is dropped, so nothing of it runs: no async, no yield")
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
                raise CheckFailure(f"{name} is called by position, and {parameter.name!r} can be given by name alone")


def _begins(subject: SubjectTracker) -> None:
    try:
        subject.cls()
    except MissingExtraError as error:
        raise CheckSkip(str(error)) from error


#: In the order in which a failure is best read.
TRACKER_CHECKS = (
    Check("declares", "api", "It is a class with hooks of this huse-bench, and with their arguments.", _declares),
    Check("told_of_runs", "api", "Its hooks are those that trackers are called for.", _told_of_runs),
    Check("can_be_called", "api", "Its hooks are plain functions.", _can_be_called),
    Check("begins", "api", "It is made without arguments.", _begins),
)
