"""The runner: plan the runs of a comparison, run those that have no record yet, keep their records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from huse_bench.components import Items
from huse_bench.config import RunConfig
from huse_bench.discovery import Trackers, notify
from huse_bench.features import Prepared
from huse_bench.progress import Reporter
from huse_bench.results import Results, Store
from huse_bench.results.commands import announced
from huse_bench.runs import together
from huse_bench.runs.announcing import announce
from huse_bench.runs.at_once import grouped, run_at_once
from huse_bench.runs.card import write_card
from huse_bench.runs.crew import hand_out_to_workers
from huse_bench.runs.data import Loaded, audited, load, make_ready, refuse_other_data
from huse_bench.runs.listeners import Hooks, Shown, steps_to
from huse_bench.runs.plan import RunSpec
from huse_bench.runs.references import evaluate_controls
from huse_bench.runs.resuming import remove_left
from huse_bench.runs.several import expanded
from huse_bench.runs.sharing import hand_out
from huse_bench.runs.tuned import AskedRuns
from huse_bench.runs.unit import run_unit
from huse_bench.runs.workers import check_workers

__all__ = ["run_config"]


def run_config(config: RunConfig, *, quiet: bool = False, verbose: bool = False) -> Iterator[tuple[str, Results]]:
    """Run what a configuration asks for, on one data set after another; see :func:`huse_bench.runs.call.run`.

    Args:
        config: of the command.
        quiet: show neither progress nor notices.
        verbose: show details.

    Yields:
        What to call the data set, and the results of its runs, old and new.

    Raises:
        UsageError: for anything that cannot be run as asked, on any of them, before the first training.
    """
    together.join(config)
    trackers = Trackers(() if together.follows() else config.track)
    reporter = Reporter(quiet=quiet or together.follows(), verbose=verbose)
    ready = [(title, _ready(each, reporter)) for title, each in expanded(config)]
    for title, each in ready:
        yield title, _follow(each, reporter) if together.follows() else _carry_out(each, trackers, reporter)


@dataclass(frozen=True)
class _Ready:
    """A command on one data set, of which nothing can be refused any more."""

    config: RunConfig
    loaded: Loaded
    items: Items
    prepared: Prepared
    specs: Sequence[RunSpec]


def _ready(config: RunConfig, reporter: Reporter) -> _Ready:
    runs = AskedRuns(config)
    config = runs.config
    if config.elsewhere:
        together.refuse("a command with --jobs or --engine")
    check_workers(config)
    loaded = load(config)
    if not together.follows():
        # Before features are made, which may take hours.
        Store.refuse_unusable(config.results_folder, config.dataset)
    with together.leader_first():
        items, prepared = make_ready(loaded, config, reporter)
    specs, notices = runs.plan(prepared)
    for notice in notices:
        reporter.say(notice)
    if (store := Store.peek(config.results_folder, config.dataset)) is not None:
        refuse_other_data(store.read()[0], prepared, config, store.card())
    return _Ready(config, loaded, items, prepared, specs)


def _follow(ready: _Ready, reporter: Reporter) -> Results:
    together.follow(ready.specs, ready.prepared, ready.config.results_folder)
    asked = {spec.fingerprint for spec in ready.specs}
    return _collect(Store(ready.config.results_folder), asked, reporter)


def _carry_out(ready: _Ready, trackers: Trackers, reporter: Reporter) -> Results:
    config, prepared, specs = ready.config, ready.prepared, ready.specs
    store = Store(config.results_folder, config.dataset)
    known, _ = store.read()
    waiting = [spec for spec in specs if store.should_run(spec.fingerprint, config.overwrite)]
    remove_left((spec for spec in specs if spec not in waiting), store)
    for error in notify("huse_bench_configure", config=config):
        reporter.say(error)
    announce(config, specs, waiting, prepared, reporter)
    _note_tuning(specs, store)
    write_card(store, config, ready.loaded.dataset_class, ready.items, prepared, reporter)
    prepared = audited(prepared, ready.items, known, config, reporter, needed=bool(waiting))

    hooks = (Hooks(reporter), Hooks(reporter, trackers.notify))
    listeners = (*hooks, Shown(reporter, bars=not config.elsewhere))

    def do(group: Sequence[RunSpec]) -> None:
        first, *others = group
        if not others:
            with together.led(specs.index(first)):
                run_unit(first, prepared, store, listeners)
            return
        label = f"{first.method.title}, {len(group)} seeds at once"
        with reporter.items(label, first.config.training.steps, unit="steps") as show:
            shown = steps_to(lambda done, _losses: show(done))
            run_at_once(group, prepared, store, lambda _: (*hooks, Shown(reporter, bars=False), shown))

    with announced(store.folder, [spec.stem for spec in waiting]), ExitStack() as ending:
        for each in hooks:
            ending.callback(each.close)
        if config.elsewhere:
            hand_out_to_workers(waiting, prepared, config, store, listeners, reporter)
        else:
            hand_out(grouped(waiting), store, config.overwrite, do, reporter.say)
    asked = {spec.fingerprint for spec in specs}
    if config.controls:
        asked |= evaluate_controls(prepared, config, store, reporter)
    together.nothing_more()
    return _collect(store, asked, reporter)


def _note_tuning(specs: Sequence[RunSpec], store: Store) -> None:
    """Say of finished runs of these very hyper-parameters what a search has spent on them since."""
    for spec in specs:
        record = store.find(spec.fingerprint) if spec.tuning else None
        if spec.tuning and record is not None and record.tuning != spec.tuning:
            store.note_tuning(record.configuration, spec.tuning)


def _collect(store: Store, asked: set[str], reporter: Reporter) -> Results:
    records, problems = store.read()
    for problem in problems:
        reporter.say(f"left out: {problem}")
    return Results([record for record in records if record.fingerprint in asked], problems, store.folder)
