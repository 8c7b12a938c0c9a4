"""Planned runs given to the workers of an engine, and given again where a worker was lost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from huse_bench.config import RunConfig
from huse_bench.errors import DivergedError, EngineError, HuseBenchError
from huse_bench.execution import Ended, Engine, Task
from huse_bench.features import Prepared
from huse_bench.progress import Reporter
from huse_bench.results import RunRecord, Store
from huse_bench.runs.elsewhere import Answer, do_run, plan_text, read_answer
from huse_bench.runs.events import Event, Listener, RunFailed, RunFinished, RunMeasured, RunStarted
from huse_bench.runs.following import Following
from huse_bench.runs.plan import RunSpec
from huse_bench.runs.records import record_failure
from huse_bench.runs.sharing import POLL_SECONDS, is_done
from huse_bench.runs.workers import ATTEMPTS, workers

__all__ = ["hand_out_to_workers"]


def hand_out_to_workers(
    specs: Sequence[RunSpec],
    prepared: Prepared,
    config: RunConfig,
    store: Store,
    listeners: Sequence[Listener],
    reporter: Reporter,
) -> None:
    """Have runs done by the workers of the configuration's engine, less those that other commands do meanwhile.

    Workers find the data in files and write the records themselves. What is under way when this ends by an exception is
    stopped, where the engine can; what is finished is in the results folder.

    Args:
        specs: the runs.
        prepared: their data.
        config: of the command.
        store: the results folder, which every worker must see.
        listeners: told of each run when it is given to a worker, of its learning curve and when it has ended, here.
        reporter: shows how many are done, and says what was lost.

    Raises:
        UsageError: if the engine cannot be used, or its workers cannot do the runs.
    """
    if not specs:
        return
    with ExitStack() as stack:
        # Others may have what is under way once the workers are stopped, and not before.
        claims = stack.enter_context(ExitStack())
        engine, data = stack.enter_context(workers(config, specs[0].device, prepared, store))
        reporter.say(f"{len(specs)} {'run' if len(specs) == 1 else 'runs'} on {engine.place}")
        show = stack.enter_context(reporter.items("runs", len(specs), unit="runs"))
        crew = _Crew(engine, data, prepared, config, store, listeners, reporter)
        claims.callback(crew.release)
        for done in crew.work(specs):
            show(done)


@dataclass
class _Given:
    """A run that a worker is at."""

    spec: RunSpec
    claim: ExitStack
    before: RunRecord | None
    curve: Following
    since: float
    attempt: int = 1

    @property
    def key(self) -> str:
        return f"{self.spec.stem}-{self.attempt}"


class _Crew:
    """The workers, and what each of them is at."""

    def __init__(
        self,
        engine: Engine,
        data: Path,
        prepared: Prepared,
        config: RunConfig,
        store: Store,
        listeners: Sequence[Listener],
        reporter: Reporter,
    ) -> None:
        self._engine = engine
        self._data = data
        self._prepared = prepared
        self._config = config
        self._store = store
        self._listeners = listeners
        self._reporter = reporter
        self._at_work: dict[str, _Given] = {}
        self._began = datetime.now(UTC)

    def work(self, specs: Sequence[RunSpec]) -> Iterator[int]:
        """Have all runs done; yields now and then how many are."""
        left, said = list(specs), False
        while left or self._at_work:
            left = self._give(left)
            if self._at_work:
                for ended in self._engine.ended(POLL_SECONDS):
                    self._take(ended)
                for given in self._at_work.values():
                    self._follow(given)
            elif left:
                if not said:
                    said = True
                    runs = "run" if len(left) == 1 else "runs"
                    self._reporter.say(f"waiting for {len(left)} {runs} that other processes are at")
                time.sleep(POLL_SECONDS)
            yield len(specs) - len(left) - len(self._at_work)

    def release(self) -> None:
        """Let others have the runs that are under way."""
        for given in self._at_work.values():
            given.claim.close()

    def _give(self, left: Sequence[RunSpec]) -> list[RunSpec]:
        """Fill the free slots; gives the runs that are left, also those that other commands are at."""
        later: list[RunSpec] = []
        for position, spec in enumerate(left):
            if len(self._at_work) >= self._engine.slots:
                return [*later, *left[position:]]
            claim = ExitStack()
            if not claim.enter_context(self._store.claim(spec.fingerprint)):
                later.append(spec)
            elif is_done(spec, self._began, self._config.overwrite, self._store):
                claim.close()
            else:
                self._tell(RunStarted(spec))
                before, curve = self._store.find(spec.fingerprint), Following(spec, self._store.folder / "runs")
                self._submit(_Given(spec, claim, before, curve, time.perf_counter()))
        return later

    def _submit(self, given: _Given) -> None:
        self._at_work[given.key] = given
        text = plan_text(given.spec, self._data, self._store, self._engine.threads, given.before)
        self._engine.submit(Task(given.key, do_run, (text,)))

    def _take(self, ended: Ended) -> None:
        given = self._at_work.pop(ended.key)
        answer = Answer() if ended.answer is None else read_answer(ended.answer)
        record = self._store.find(given.spec.fingerprint)
        if record is None or (given.before is not None and record.created == given.before.created):
            self._give_again(given, ended.lost or answer.lost or "its record is not in the results folder")
            return
        self._follow(given)
        given.claim.close()
        seconds = answer.seconds or time.perf_counter() - given.since
        if record.status == "finished":
            self._tell(RunFinished(record, seconds, answer.notices, answer.files))
        else:
            text = answer.error or str(record.error)
            error = DivergedError(text) if record.status == "diverged" else HuseBenchError(text)
            self._tell(RunFailed(given.spec, record, seconds, error))

    def _follow(self, given: _Given) -> None:
        """Tell what a worker has measured since the last look."""
        for point in given.curve.points():
            self._tell(RunMeasured(given.spec, point))

    def _give_again(self, given: _Given, reason: str) -> None:
        spec = given.spec
        name = f"{spec.method.title} seed {spec.seed}"
        if given.attempt < ATTEMPTS:
            self._reporter.say(f"{name}: a worker was lost ({reason}); the run is given to another")
            given.attempt += 1
            self._submit(given)
            return
        error = EngineError(
            f"{ATTEMPTS} workers were lost that this run was given to, the last because {reason}. Where memory is "
            f"short, take fewer --jobs, and run it again with --overwrite failed"
        )
        record = record_failure(spec, self._prepared, error).write(self._store)
        given.claim.close()
        self._tell(RunFailed(spec, record, time.perf_counter() - given.since, error))

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)
