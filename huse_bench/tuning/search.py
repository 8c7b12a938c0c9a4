"""The search: the same number of trials for each method, on the validation split."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import filelock

from huse_bench.config import RunConfig
from huse_bench.errors import ConfigError, DivergedError, HuseBenchError, ResultsError
from huse_bench.features import Prepared
from huse_bench.progress import Reporter
from huse_bench.results import Store
from huse_bench.runs.data import device_of, load, make_ready
from huse_bench.runs.device import settle_functions
from huse_bench.runs.experiment import run_trial
from huse_bench.runs.listeners import steps_to
from huse_bench.runs.methods import Method
from huse_bench.runs.params import Ledger, MethodLedger, ParamsFile, table_of
from huse_bench.runs.privacy import Privacy
from huse_bench.runs.stopping import deferred
from huse_bench.tuning.objective import Objective
from huse_bench.tuning.plan import given, identity_of, methods_to_tune, space_of
from huse_bench.tuning.repeats import distinct, repeats
from huse_bench.tuning.study import Study, Trial, open_journal, require_optuna

__all__ = ["Tuned", "tune"]

# Between two looks at whether another process has ended its trial.
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Tuned:
    """What came of one method's trials.

    Attributes:
        method: with the hyper-parameters that the first trial had.
        trials: by number.
    """

    method: Method
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial | None:
        """The trial of the highest value, the first of equals; None where all failed."""
        return max((trial for trial in self.trials if trial.value is not None), key=_value, default=None)

    @property
    def failed(self) -> int:
        """How many trials diverged or failed."""
        return sum(trial.value is None for trial in self.trials)

    @property
    def distinct(self) -> int:
        """How many different results the trials gave."""
        return distinct(self.trials)


@dataclass(frozen=True)
class _Search:
    """One method that is being tuned."""

    method: Method
    study: Study
    identity: str

    def ended(self, trials: int) -> list[Trial]:
        return [trial for number, trial in self.study.trials().items() if number <= trials]


def tune(
    config: RunConfig,
    trials: int,
    objective: Objective | None = None,
    output: Path | None = None,
    *,
    quiet: bool = False,
    verbose: bool = False,
) -> tuple[list[Tuned], Path]:
    """Tune methods on equal terms: as many trials for each, of the same steps, for the same objective.

    Trials train on the train split and are compared on the validation split; the test split is not there. They are
    kept in ``tuning/journal.log`` of the results folder, and what is there is not run again. Several processes may
    work on the same search.

    Args:
        config: as of a run; hyper-parameters that it gives are held, and the first trial has the defaults of the
            others. Where it names no methods, all that declare a space are tuned.
        trials: how many each method gets in all, those of earlier calls included.
        objective: what to maximise.
        output: the file of the best hyper-parameters; by default ``tuned.toml`` in the results folder.
        quiet: show neither progress nor notices.
        verbose: show details, such as which features the cache had.

    Returns:
        What came of each method, and the file.

    Raises:
        MissingExtraError: without Optuna.
        UsageError: for anything that cannot be tuned as asked, before the first trial.
    """
    require_optuna()
    objective = objective or Objective()
    reporter = Reporter(quiet=quiet, verbose=verbose)
    _check(config, trials)
    methods = methods_to_tune(config, reporter)
    for method in methods:
        objective.of(method.name, method.loss_class.heads)
    loaded = load(config)
    Store.refuse_unusable(config.results_folder, config.dataset)
    _, prepared = make_ready(loaded, config, reporter)
    store = Store(config.results_folder, config.dataset)
    output = output or store.folder / "tuned.toml"
    terms = Ledger(
        dataset=config.dataset,
        content_hash=prepared.content_hash,
        protocol=config.protocol,
        objective=objective.metrics,
        seed=config.seeds[0],
        training=config.training,
        methods={},
    )
    _refuse_other_terms(output, terms)
    locks = store.folder / "tuning" / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with open_journal(store.folder / "tuning" / "journal.log", reporter.say) as journal:
        searches = []
        for method in methods:
            space = space_of(method, config)
            identity = identity_of(method, space, objective, config, prepared, device_of(config))
            study = Study(journal, locks, method.name, identity, config.seeds[0], space, method.parameters)
            searches.append(_Search(method, study, identity))
        _announce(searches, trials, objective, config, reporter)
        _run(searches, trials, objective, config, prepared.to(device_of(config)), reporter)
        tuned = [Tuned(search.method, tuple(search.ended(trials))) for search in searches]
    for result in tuned:
        for sentence in repeats(result.trials):
            reporter.say(f"{result.method.title}: {sentence}")
    _write(output, terms, searches, tuned, config, locks)
    return tuned, output


def _check(config: RunConfig, trials: int) -> None:
    if trials < 1:
        raise ConfigError(f"--trials {trials}: at least one trial is needed, which is that of the defaults")
    if config.params is not None:
        raise ConfigError(f"a search does not start from tuned hyper-parameters: leave out params = {config.params}")
    if len(config.seeds) > 1:
        raise ConfigError(
            f"a search trains each trial with one seed, and seeds ({config.origin('seeds')}) has {len(config.seeds)}; "
            f"choose one with --seed"
        )


def _refuse_other_terms(output: Path, terms: Ledger) -> None:
    """Raise ConfigError where the file to write holds what was tuned otherwise."""
    if not output.exists():
        return
    differences = ParamsFile.read(output).ledger.differences(terms)
    if differences:
        raise ConfigError(
            f"{output} holds hyper-parameters tuned on other terms: there {'; '.join(differences)}. "
            f"Choose another file with --output, or move this one away"
        )


def _announce(
    searches: Sequence[_Search], trials: int, objective: Objective, config: RunConfig, reporter: Reporter
) -> None:
    training = config.training
    reporter.say(
        f"{config.dataset}: {trials} {'trial' if trials == 1 else 'trials'} for each of {len(searches)} "
        f"{'method' if len(searches) == 1 else 'methods'}, {training.steps} steps of "
        f"{training.batch_size} pairs each, seed {config.seeds[0]}"
    )
    reporter.say(f"  objective: mean of {', '.join(objective.metrics)}, on the validation split")
    for search in searches:
        metrics = objective.of(search.method.name, search.method.loss_class.heads)
        if len(metrics) < len(objective.metrics):
            reporter.say(f"  {search.method.title} has no classifier: mean of {', '.join(metrics)}")
        done = len(search.ended(trials))
        if done:
            reporter.say(f"  {done} of {trials} trials of {search.method.title} are done and are not run again")


def _run(
    searches: Sequence[_Search],
    trials: int,
    objective: Objective,
    config: RunConfig,
    prepared: Prepared,
    reporter: Reporter,
) -> None:
    """Run trials until every method has its number, be it by this process or by others."""
    settle_functions()
    # What is not there cannot be looked at.
    seen = replace(prepared, splits={name: split for name, split in prepared.splits.items() if name != "test"})
    waiting = False
    while pending := [search for search in searches if len(search.ended(trials)) < trials]:
        for search in pending:
            with search.study.claim(trials) as number:
                if number is None:
                    continue
                trial = _trial(search, number, trials, objective, config, seen, reporter)
                # A signal waits until the line is whole.
                with deferred():
                    search.study.record(trial)
            _report(search, trial, trials, reporter)
            waiting = False
            break
        else:
            if not waiting:
                reporter.say("waiting for trials that other processes are running")
            waiting = True
            time.sleep(_POLL_SECONDS)


def _trial(
    search: _Search,
    number: int,
    trials: int,
    objective: Objective,
    config: RunConfig,
    prepared: Prepared,
    reporter: Reporter,
) -> Trial:
    parameters = search.study.propose(number)
    method = replace(search.method, parameters={**search.method.parameters, **parameters})
    started = time.perf_counter()
    value, error, metrics = None, None, {}
    try:
        with reporter.run(f"{method.title} trial {number} of {trials}", config.training.steps) as step:
            watch = steps_to(step)
            metrics = run_trial(method, prepared, config.training, config.seeds[0], config.protocol, watch)
        value = objective.value(metrics)
    # A failing trial is a line that says so; the search goes on.
    except Exception as problem:  # noqa: BLE001
        error = Privacy(config.data).text(_reason(problem))
    return Trial(number, parameters, value, error, round(time.perf_counter() - started, 3), metrics)


def _reason(error: Exception) -> str:
    if isinstance(error, DivergedError):
        return f"diverged: {error}"
    return f"failed: {error}" if isinstance(error, HuseBenchError) else f"failed: {type(error).__name__}: {error}"


def _report(search: _Search, trial: Trial, trials: int, reporter: Reporter) -> None:
    best = Tuned(search.method, tuple(search.ended(trials))).best
    so_far = "no value yet" if best is None else f"best {best.value:.4f} in trial {best.number}"
    shown = ", ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in trial.parameters.items()
    )
    outcome = trial.error if trial.value is None else f"{trial.value:.4f}"
    reporter.say(f"{search.method.title} trial {trial.number} of {trials}: {outcome} ({so_far}) {shown}")


def _write(
    output: Path, terms: Ledger, searches: Sequence[_Search], tuned: Sequence[Tuned], config: RunConfig, locks: Path
) -> None:
    """Add the best hyper-parameters to the file, beside those of other methods on the same terms."""
    ledgers, tables = {}, {}
    for search, result in zip(searches, tuned, strict=True):
        best, method = result.best, result.method
        if best is None:
            continue
        assert best.value is not None
        ledgers[method.name] = MethodLedger(
            distribution=method.component.distribution,
            source_hash=method.source_hash,
            study=search.identity,
            trials=len(result.trials),
            failed=result.failed,
            distinct=result.distinct,
            best_trial=best.number,
            value=best.value,
            default_value=result.trials[0].value,
        )
        tables[method.name] = table_of(method, given(method, config), best.parameters)
    if not tables:
        return
    file = ParamsFile(ledger=terms.model_copy(update={"methods": ledgers}), methods=tables)
    try:
        with filelock.FileLock(locks / "params.lock"):
            _refuse_other_terms(output, terms)
            (ParamsFile.read(output).merged(file) if output.exists() else file).write(output)
    except OSError as error:
        raise ResultsError(
            f"cannot write {output} ({error.strerror or error}); make it writable or choose another --output, and run "
            f"the command again: the trials are kept"
        ) from error


def _value(trial: Trial) -> float:
    assert trial.value is not None
    return trial.value
