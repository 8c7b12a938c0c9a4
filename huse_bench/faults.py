"""What pydantic found wrong with a file, as words for a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

__all__ = ["fault_message", "fault_place", "first_fault"]


def first_fault(error: ValidationError, whole: str) -> str:
    """The first thing that is wrong, as ``"training.steps: Input should be greater than 0 (and 2 more)"``.

    Args:
        error: what pydantic raised.
        whole: what to call the place of a fault that is of no single field, such as ``"the record"``.
    """
    first = error.errors()[0]
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{fault_place(first) or whole}: {fault_message(first)}{more}"


def fault_place(fault: ErrorDetails) -> str:
    """The dotted name of a field; empty where the fault is of no single one."""
    return ".".join(str(part) for part in fault["loc"])


def fault_message(fault: ErrorDetails) -> str:
    """What is wrong, without pydantic's own words before a message of ours."""
    return fault["msg"].removeprefix("Value error, ")
