"""Planned runs handed out one after another, and shared with the other processes that are at the folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

from huse_bench.config import Overwrite
from huse_bench.results import Store
from huse_bench.runs import stopping
from huse_bench.runs.plan import RunSpec

__all__ = ["POLL_SECONDS", "hand_out", "is_done"]

#: Between two looks at runs that other processes are at.
POLL_SECONDS = 1.0


def hand_out(
    groups: Sequence[Sequence[RunSpec]],
    store: Store,
    overwrite: Overwrite,
    do: Callable[[Sequence[RunSpec]], object],
    say: Callable[[str], None],
) -> None:
    """Have runs done, less those that other processes on the folder do meanwhile.

    A run that another process is at is waited for, and taken up where that process ended without finishing it.

    Args:
        groups: the runs, together those that are done at once.
        store: the results folder.
        overwrite: which runs that have a record are done again.
        do: does those of a group that are left.
        say: tells the user that others are waited for.
    """
    began = datetime.now(UTC)
    left, said = [list(group) for group in groups], False
    while left:
        for group in left:
            stopping.check()
            with ExitStack() as claims:
                mine = [spec for spec in group if claims.enter_context(store.claim(spec.fingerprint))]
                to_do = [spec for spec in mine if not is_done(spec, began, overwrite, store)]
                if to_do:
                    do(to_do)
            group[:] = [spec for spec in group if spec not in mine]
        left = [group for group in left if group]
        busy = sum(map(len, left))
        if busy and not said:
            said = True
            say(f"waiting for {busy} {'run' if busy == 1 else 'runs'} that other processes are at")
        if busy:
            time.sleep(POLL_SECONDS)


def is_done(spec: RunSpec, began: datetime, overwrite: Overwrite, store: Store) -> bool:
    """Whether a run needs no training any more; also one that is to be run anew, where another process just did.

    Args:
        spec: the run.
        began: when the command began.
        overwrite: which runs that have a record are done again.
        store: the results folder.
    """
    record = store.find(spec.fingerprint)
    return record is not None and (record.created >= began or not store.should_run(spec.fingerprint, overwrite))
