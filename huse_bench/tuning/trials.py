"""The trials of a search, run until every study has its number, be it by this process or by others."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from huse_bench.config import RunConfig
from huse_bench.errors import DivergedError, HuseBenchError
from huse_bench.features import Prepared
from huse_bench.progress import Reporter
from huse_bench.runs.device import settle_functions
from huse_bench.runs.events import Listener
from huse_bench.runs.experiment import run_trial
from huse_bench.runs.listeners import steps_to
from huse_bench.runs.methods import Method
from huse_bench.runs.privacy import Privacy
from huse_bench.runs.stopping import deferred
from huse_bench.space import Distribution
from huse_bench.tuning.found import Tuned
from huse_bench.tuning.noise import Lots
from huse_bench.tuning.objective import Objective
from huse_bench.tuning.study import Study, Trial

__all__ = ["Search", "report", "run_trials", "train_trial", "without_test"]

# Between two looks at whether another process has ended its trial.
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Search:
    """One study of one method.

    Attributes:
        method: with the hyper-parameters of the first trial.
        number: of the study, from 1.
        seed: to train its trials with.
        space: what is tuned.
        identity: sha256 over all that the trials depend on.
        study: keeps and proposes the trials.
        label: what messages call it.
    """

    method: Method
    number: int
    seed: int
    space: Mapping[str, Distribution]
    identity: str
    study: Study
    label: str

    def ended(self, trials: int) -> list[Trial]:
        """The trials that ended, of the first so many."""
        return [trial for number, trial in self.study.trials().items() if number <= trials]

    def tuned(self, trials: int, queries: Lots) -> Tuned:
        """What came of the first so many trials."""
        ended = tuple(self.ended(trials))
        return Tuned(self.method, self.number, self.seed, self.identity, ended, self.space, queries)


def run_trials(
    searches: Sequence[Search],
    trials: int,
    objective: Objective,
    config: RunConfig,
    prepared: Prepared,
    queries: Lots,
    reporter: Reporter,
) -> None:
    """Run trials until every study has its number.

    Args:
        searches: the studies.
        trials: how many each gets.
        objective: what is maximised.
        config: how trials are trained.
        prepared: what they are trained on, on the device.
        queries: the items of the validation split in independent lots.
        reporter: says what came of each.
    """
    settle_functions()
    seen = without_test(prepared)
    waiting = False
    while pending := [search for search in searches if len(search.ended(trials)) < trials]:
        for search in pending:
            with search.study.claim(trials) as number:
                if number is None:
                    continue
                trial = _trial(search, number, trials, objective, config, seen, queries, reporter)
                # A signal waits until the line is whole.
                with deferred():
                    search.study.record(trial)
            report(search, trial, trials, queries, reporter)
            waiting = False
            break
        else:
            if not waiting:
                reporter.say("waiting for trials that other processes are running")
            waiting = True
            time.sleep(_POLL_SECONDS)


def _trial(
    search: Search,
    number: int,
    trials: int,
    objective: Objective,
    config: RunConfig,
    prepared: Prepared,
    queries: Lots,
    reporter: Reporter,
) -> Trial:
    parameters = search.study.propose(number)
    with reporter.run(f"{search.label} trial {number} of {trials}", config.training.steps) as step:
        return train_trial(
            search.method, number, parameters, search.seed, objective, config, prepared, queries, steps_to(step)
        )


def without_test(prepared: Prepared) -> Prepared:
    """The data without the test split: what is not there cannot be looked at."""
    return replace(prepared, splits={name: split for name, split in prepared.splits.items() if name != "test"})


def train_trial(
    method: Method,
    number: int,
    parameters: Mapping[str, Any],
    seed: int,
    objective: Objective,
    config: RunConfig,
    prepared: Prepared,
    queries: Lots,
    watch: Listener | None = None,
) -> Trial:
    """Train and validate one trial; one that fails says why.

    Args:
        method: with the hyper-parameters of the first trial.
        number: of the trial, from 1.
        parameters: those that are tuned.
        seed: to train with.
        objective: what is maximised.
        config: how trials are trained.
        prepared: what it is trained on, on the device.
        queries: the items of the validation split in independent lots.
        watch: told of each step.
    """
    method = replace(method, parameters={**method.parameters, **parameters})
    started = time.perf_counter()
    value, error, metrics = None, None, {}
    lots: tuple[float, ...] = ()
    try:
        validated = run_trial(method, prepared, config.training, seed, config.protocol, watch)
        metrics = validated.metrics
        lots = queries.sums(objective.item_values(validated, prepared.splits["validation"].labels))
        value = objective.value(metrics)
    # A failing trial is a line that says so; the search goes on.
    except Exception as problem:  # noqa: BLE001
        error = Privacy(config.data).text(_reason(problem))
    return Trial(number, dict(parameters), value, error, round(time.perf_counter() - started, 3), metrics, lots)


def _reason(error: Exception) -> str:
    if isinstance(error, DivergedError):
        return f"diverged: {error}"
    return f"failed: {error}" if isinstance(error, HuseBenchError) else f"failed: {type(error).__name__}: {error}"


def report(search: Search, trial: Trial, trials: int, queries: Lots, reporter: Reporter) -> None:
    """Say what came of a trial.

    Args:
        search: its study.
        trial: the trial.
        trials: how many the study gets.
        queries: the items of the validation split in independent lots.
        reporter: says it.
    """
    best = search.tuned(trials, queries).best
    so_far = "no value yet" if best is None else f"best {best.value:.4f} in trial {best.number}"
    shown = ", ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in trial.parameters.items()
    )
    outcome = trial.error if trial.value is None else f"{trial.value:.4f}"
    reporter.say(f"{search.label} trial {trial.number} of {trials}: {outcome} ({so_far}) {shown}")
