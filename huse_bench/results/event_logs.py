"""The logs of events that runs leave beside their records, read by others than who writes them.

A log may be written to meanwhile: a last line that is not whole is none yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

__all__ = ["LOG", "events_of", "last_event", "time_of"]

#: What the name of a log has behind the name of its record.
LOG = ".events.jsonl"

# At the end of a log, where its last line is.
_TAIL_BYTES = 4096


def events_of(path: Path) -> list[Mapping[str, Any]]:
    """All events of a log.

    Args:
        path: the file.

    Returns:
        Their fields, the first first; nothing where there is no file, or none that can be read.
    """
    with suppress(OSError):
        return list(_events(path.read_bytes().splitlines(keepends=True)))
    return []


def last_event(path: Path) -> Mapping[str, Any]:
    """The last event of a log, without reading all of a long one.

    Args:
        path: the file.

    Returns:
        Its fields; none where there is no event.
    """
    with suppress(OSError), path.open("rb") as file:
        size = file.seek(0, 2)
        # An error may be a line that is longer; one that begins before the tail is no JSON, and left out.
        for tail in (_TAIL_BYTES, size):
            file.seek(max(0, size - tail))
            if (found := next(_events(reversed(file.read().splitlines(keepends=True))), None)) is not None:
                return found
    return {}


def time_of(event: Mapping[str, Any]) -> datetime | None:
    """When an event happened, with its time zone; None where it does not say."""
    with suppress(KeyError, ValueError, TypeError):
        time = datetime.fromisoformat(event["time"])
        return time if time.tzinfo else None
    return None


def _events(lines: Iterable[bytes]) -> Iterator[Mapping[str, Any]]:
    for line in lines:
        with suppress(ValueError):
            if line.endswith(b"\n") and isinstance(event := json.loads(line), dict):
                yield event
