"""The rows that need no training: controls, evaluated and recorded."""

from __future__ import annotations

from huse_bench.config import RunConfig
from huse_bench.features import Prepared
from huse_bench.progress import Reporter
from huse_bench.results import Store
from huse_bench.runs.controls import CONTROLS
from huse_bench.runs.identity import control_fingerprint
from huse_bench.runs.listeners import reason
from huse_bench.runs.records import record_control, record_control_failure

__all__ = ["evaluate_controls"]


def evaluate_controls(prepared: Prepared, config: RunConfig, store: Store, reporter: Reporter) -> set[str]:
    """Evaluate and store the controls that need no training and have no record yet.

    Args:
        prepared: the data.
        config: of the command.
        store: the results folder.
        reporter: says how each went.

    Returns:
        Their fingerprints.
    """
    asked = set()
    for control in CONTROLS:
        identity = control_fingerprint(control, config, prepared)
        if store.should_run(identity, config.overwrite):
            try:
                evaluated = control.evaluate(prepared, config.protocol)
                recorded = record_control(control, evaluated, config, prepared)
            # As a failing method: a row that says so.
            except Exception as error:  # noqa: BLE001
                record_control_failure(control, error, config, prepared).write(store)
                reporter.say(f"{control.title}: failed: {reason(error)}")
            else:
                recorded.write(store)
                reporter.say(f"{control.title}: evaluated")
        asked.add(identity)
    return asked
