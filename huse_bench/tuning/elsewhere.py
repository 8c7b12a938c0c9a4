"""Trials done by the workers of an engine: one driver asks, tells and keeps, and no worker sees the journal."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huse_bench.config import RunConfig
from huse_bench.execution import Ended, Engine, Task
from huse_bench.features import Prepared
from huse_bench.files import safe_name
from huse_bench.progress import Reporter
from huse_bench.results import Store
from huse_bench.runs.data import device_of
from huse_bench.runs.device import settle_functions
from huse_bench.runs.elsewhere import other_code
from huse_bench.runs.methods import resolve_methods
from huse_bench.runs.stopping import deferred
from huse_bench.runs.surroundings import answered, read_fields, surroundings
from huse_bench.runs.workers import ATTEMPTS, workers
from huse_bench.tuning.noise import Lots
from huse_bench.tuning.objective import Objective
from huse_bench.tuning.plan import identity_of, space_of, training_seed
from huse_bench.tuning.study import Trial
from huse_bench.tuning.trials import Search, report, train_trial, without_test

__all__ = ["do_trial", "run_trials_on_workers"]

# Between two looks at whether a trial has ended, here or in another process.
_POLL_SECONDS = 1.0


def run_trials_on_workers(
    searches: Sequence[Search],
    trials: int,
    objective: Objective,
    config: RunConfig,
    prepared: Prepared,
    queries: Lots,
    store: Store,
    reporter: Reporter,
) -> None:
    """As :func:`huse_bench.tuning.trials.run_trials`, by the workers of the configuration's engine.

    Args:
        searches: the studies.
        trials: how many each gets.
        objective: what is maximised.
        config: how trials are trained, and by which engine.
        prepared: what they are trained on, on the host.
        queries: the items of the validation split in independent lots.
        store: the results folder, which every worker must see.
        reporter: says what came of each.

    Raises:
        UsageError: if the engine cannot be used, or its workers cannot do the trials.
    """
    if all(len(search.ended(trials)) >= trials for search in searches):
        return
    with ExitStack() as stack:
        # Others may have what is under way once the workers are stopped, and not before.
        claims = stack.enter_context(ExitStack())
        engine, data = stack.enter_context(workers(config, device_of(config), without_test(prepared), store))
        reporter.say(f"  trials on {engine.place}")
        driver = _Driver(engine, data, searches, trials, objective, config, queries, reporter)
        claims.callback(driver.release)
        driver.work()


def do_trial(text: str) -> str:
    """Train a trial as a text says; called in a worker.

    Args:
        text: the plan.

    Returns:
        What the driver reads: the trial's fields.
    """
    plan = json.loads(text)
    return answered(plan, lambda config, prepared: _done(plan, config, prepared))


def _done(plan: Mapping[str, Any], config: RunConfig, prepared: Prepared) -> dict[str, Any]:
    objective, number = Objective(tuple(plan["objective"])), plan["study"]
    method = next((method for method in resolve_methods(config) if method.name == plan["method"]), None)
    if method is None or plan["identity"] != identity_of(
        method, space_of(method, config), objective, config, prepared, plan["device"], number
    ):
        raise other_code(plan["method"])
    settle_functions()
    trial = train_trial(
        method,
        plan["number"],
        plan["parameters"],
        training_seed(config.seeds[0], number),
        objective,
        config,
        prepared.to(plan["device"]),
        Lots(prepared.splits["validation"].groups),
    )
    return {"value": trial.value, "error": trial.error, "seconds": trial.seconds} | {
        "metrics": trial.metrics,
        "lots": trial.lots,
    }


@dataclass
class _Asked:
    """A trial that a worker is at."""

    search: Search
    number: int
    parameters: dict[str, Any]
    claim: ExitStack
    since: float
    attempt: int = 1

    @property
    def key(self) -> str:
        return f"{safe_name(self.search.method.name)}-{self.search.identity[:12]}-{self.number}-{self.attempt}"


class _Driver:
    """Asks the studies for trials, has them done and tells the studies what came of them."""

    def __init__(
        self,
        engine: Engine,
        data: Path,
        searches: Sequence[Search],
        trials: int,
        objective: Objective,
        config: RunConfig,
        queries: Lots,
        reporter: Reporter,
    ) -> None:
        self._engine = engine
        self._data = data
        self._searches = searches
        self._trials = trials
        self._objective = objective
        self._config = config
        self._queries = queries
        self._reporter = reporter
        self._at_work: dict[str, _Asked] = {}

    def work(self) -> None:
        """Have all trials done, be it by these workers or by other processes."""
        waiting = False
        while pending := [search for search in self._searches if len(search.ended(self._trials)) < self._trials]:
            for search in pending:
                self._ask(search)
            if self._at_work:
                waiting = False
                for ended in self._engine.ended(_POLL_SECONDS):
                    self._tell(ended)
            else:
                if not waiting:
                    self._reporter.say("waiting for trials that other processes are running")
                waiting = True
                time.sleep(_POLL_SECONDS)

    def release(self) -> None:
        """Let others have the trials that are under way."""
        for asked in self._at_work.values():
            asked.claim.close()

    def _ask(self, search: Search) -> None:
        """Give workers what can be begun of a study, as far as there are free ones."""
        while len(self._at_work) < self._engine.slots:
            claim = ExitStack()
            number = claim.enter_context(search.study.claim(self._trials))
            if number is None:
                claim.close()
                return
            self._submit(_Asked(search, number, search.study.propose(number), claim, time.perf_counter()))

    def _submit(self, asked: _Asked) -> None:
        self._at_work[asked.key] = asked
        own = {
            "method": asked.search.method.name,
            "identity": asked.search.identity,
            "study": asked.search.number,
            "number": asked.number,
            "parameters": asked.parameters,
            "objective": self._objective.metrics,
            "device": device_of(self._config),
        }
        text = json.dumps(surroundings(self._config, self._data, self._engine.threads) | own)
        self._engine.submit(Task(asked.key, do_trial, (text,)))

    def _tell(self, ended: Ended) -> None:
        asked = self._at_work.pop(ended.key)
        fields: dict[str, Any] = {"lost": ended.lost} if ended.answer is None else read_fields(ended.answer)
        if reason := fields.get("lost"):
            if asked.attempt < ATTEMPTS:
                label = f"{asked.search.label} trial {asked.number}"
                self._reporter.say(f"{label}: a worker was lost ({reason}); the trial is given to another")
                asked.attempt += 1
                self._submit(asked)
                return
            error = f"failed: {ATTEMPTS} workers were lost that this trial was given to, the last because {reason}"
            seconds = round(time.perf_counter() - asked.since, 3)
            fields = {"value": None, "error": error, "seconds": seconds, "metrics": {}, "lots": ()}
        trial = Trial(**{**fields, "number": asked.number, "parameters": asked.parameters, "lots": (*fields["lots"],)})
        # A signal waits until the line is whole.
        with deferred():
            asked.search.study.record(trial)
        asked.claim.close()
        report(asked.search, trial, self._trials, self._queries, self._reporter)
