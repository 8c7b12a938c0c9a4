"""The search: the same number of trials for each method, on the validation split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from huse_bench.config import RunConfig
from huse_bench.errors import ConfigError
from huse_bench.features import Prepared
from huse_bench.progress import Reporter
from huse_bench.results import Store
from huse_bench.results.commands import announced
from huse_bench.runs.data import device_of, load, make_ready
from huse_bench.runs.params import Ledger
from huse_bench.runs.workers import check_workers
from huse_bench.tuning.elsewhere import run_trials_on_workers
from huse_bench.tuning.found import Tuned, refuse_other_terms, write_found
from huse_bench.tuning.journal import open_journal
from huse_bench.tuning.noise import Lots
from huse_bench.tuning.objective import OBJECTIVES, Objective, heads_of, settled
from huse_bench.tuning.plan import identity_of, methods_to_tune, space_of, training_seed
from huse_bench.tuning.study import Study, require_optuna
from huse_bench.tuning.trials import Search, run_trials

__all__ = ["tune"]


def tune(
    config: RunConfig,
    trials: int,
    objective: Sequence[str] = ("balanced",),
    output: Path | None = None,
    *,
    studies: int = 1,
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
        trials: how many each method gets in each study in all, those of earlier calls included.
        objective: what to maximise: one of :data:`huse_bench.tuning.OBJECTIVES`, or metrics whose mean it is.
        output: the file of the best hyper-parameters; by default ``tuned.toml`` in the results folder.
        studies: how many searches each method gets, that have nothing in common.
        quiet: show neither progress nor notices.
        verbose: show details, such as which features the cache had.

    Returns:
        What came of each method in each study, and the file.

    Raises:
        MissingExtraError: without Optuna.
        UsageError: for anything that cannot be tuned as asked, before the first trial.
    """
    require_optuna()
    reporter = Reporter(quiet=quiet, verbose=verbose)
    _check(config, trials, studies)
    methods = methods_to_tune(config, reporter)
    check_workers(config)
    loaded = load(config)
    Store.refuse_unusable(config.results_folder, config.dataset)
    _, prepared = make_ready(loaded, config, reporter)
    goal, left_out = settled(objective, methods, prepared)
    store = Store(config.results_folder, config.dataset)
    output = output or store.folder / "tuned.toml"
    terms = Ledger(
        dataset=config.dataset,
        content_hash=prepared.content_hash,
        protocol=config.protocol,
        objective=goal.metrics,
        seed=config.seeds[0],
        studies=studies,
        training=config.training,
        methods={},
    )
    refuse_other_terms(output, terms)
    locks = store.folder / "tuning" / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    queries = Lots(prepared.splits["validation"].groups)
    with open_journal(store.folder / "tuning" / "journal.log", reporter.say) as journal:
        searches = []
        for method in methods:
            space = space_of(method, config)
            for number in range(1, studies + 1):
                identity = identity_of(method, space, goal, config, prepared, device_of(config), number)
                seeds = config.seeds[0], number
                study = Study(journal, locks, method.name, identity, seeds, space, method.parameters)
                label = method.title if studies == 1 else f"{method.title} (study {number})"
                seed = training_seed(config.seeds[0], number)
                searches.append(Search(method, number, seed, space, identity, study, label))
        name = objective[0] if len(objective) == 1 and objective[0] in OBJECTIVES else ""
        _announce(searches, trials, studies, goal, name, config, prepared, reporter)
        for sentence in left_out:
            reporter.say(f"  {sentence}")
        with announced(store.folder, trials={search.study.name: trials for search in searches}):
            if config.elsewhere:
                run_trials_on_workers(searches, trials, goal, config, prepared, queries, store, reporter)
            else:
                run_trials(searches, trials, goal, config, prepared.to(device_of(config)), queries, reporter)
        tuned = [search.tuned(trials, queries) for search in searches]
    for search, result in zip(searches, tuned, strict=True):
        for sentence in result.remarks:
            reporter.say(f"{search.label}: {sentence}")
    write_found(output, terms, tuned, config, locks)
    return tuned, output


def _check(config: RunConfig, trials: int, studies: int) -> None:
    if trials < 1:
        raise ConfigError(f"--trials {trials}: at least one trial is needed, which is that of the defaults")
    if studies < 1:
        raise ConfigError(f"--studies {studies}: at least one study is needed")
    if config.params is not None:
        raise ConfigError(f"a search does not start from tuned hyper-parameters: leave out params = {config.params}")
    if len(config.seeds) > 1:
        raise ConfigError(
            f"a search has one seed, and seeds ({config.origin('seeds')}) has {len(config.seeds)}; choose one with "
            f"--seed"
        )


def _announce(
    searches: Sequence[Search],
    trials: int,
    studies: int,
    objective: Objective,
    name: str,
    config: RunConfig,
    prepared: Prepared,
    reporter: Reporter,
) -> None:
    training = config.training
    count = len(searches) // studies
    each = f"{count} {'method' if count == 1 else 'methods'}"
    if studies > 1:
        each += f" in each of {studies} studies"
    seeds = ", ".join(str(seed) for seed in sorted({search.seed for search in searches}))
    reporter.say(
        f"{config.dataset}: {trials} {'trial' if trials == 1 else 'trials'} for each of {each}, {training.steps} steps "
        f"of {training.batch_size} pairs each, seed {config.seeds[0]}, trained with seed {seeds}"
    )
    of = "mean of " if len(objective.metrics) > 1 else ""
    named = f" {name}" if name else ""
    reporter.say(f"  objective{named}: {of}{', '.join(objective.metrics)}, on the validation split")
    for search in searches:
        metrics = objective.of(search.method.name, heads_of(search.method, prepared))
        if len(metrics) < len(objective.metrics) and search.number == 1:
            why = "has no classifier that knows held-out classes" if config.regime.held_out else "has no classifier"
            reporter.say(f"  {search.method.title} {why}: mean of {', '.join(metrics)}")
        done = len(search.ended(trials))
        if done:
            reporter.say(f"  {done} of {trials} trials of {search.label} are done and are not run again")
