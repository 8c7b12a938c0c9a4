"""One method's trials: which hyper-parameters come next, and the journal where they are kept.

Hyper-parameters of a trial depend on the seed, the trial's number and the results of earlier rounds, and on nothing
else: neither on kills and resumptions nor on how many processes share the work. The first trial has the defaults, the
next nine are random, and from then on Optuna's multivariate TPE (Bergstra et al. 2011, Algorithms for Hyper-Parameter
Optimization) proposes in rounds of four, which learn from all trials of the rounds before.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import numpy as np

from huse_bench.errors import MissingExtraError, ResultsError
from huse_bench.files import safe_name
from huse_bench.space import Choice, Distribution, LogUniform

if TYPE_CHECKING:
    from optuna import Study as OptunaStudy
    from optuna.distributions import BaseDistribution
    from optuna.storages import JournalStorage

__all__ = ["SAMPLER", "Study", "Trial", "open_journal", "require_optuna"]

#: How hyper-parameters are proposed; part of a study's identity.
SAMPLER = "tpe-1"

# Trials before the sampler learns: the defaults, then random ones.
_STARTUP = 10

# Trials proposed from the same results, so that as many processes can work on one method.
_ROUND = 4


@dataclass(frozen=True)
class Trial:
    """One trial that ended.

    Attributes:
        number: from 1.
        parameters: the tuned hyper-parameters.
        value: the objective; None where the trial failed.
        error: why it failed.
        seconds: wall time.
        metrics: metrics on the validation split by name.
    """

    number: int
    parameters: dict[str, Any]
    value: float | None
    error: str | None
    seconds: float
    metrics: dict[str, float]


def require_optuna() -> None:
    """Raise MissingExtraError where what a search needs is not installed."""
    for package, module in (("optuna", "optuna"), ("tomli-w", "tomli_w")):
        try:
            __import__(module)
        except ImportError as error:
            raise MissingExtraError("tuning", "tune", package) from error


@contextmanager
def open_journal(path: Path, say: Callable[[str], None] = lambda _: None) -> Iterator[JournalStorage]:
    """Open the journal of a results folder, which several processes may share.

    Args:
        path: the file; made where there is none.
        say: told what had to be cut.

    Raises:
        ResultsError: if it cannot be read.
    """
    import optuna  # noqa: PLC0415  optional
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock  # noqa: PLC0415  optional

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # Not the default lock, a symbolic link: Windows asks for a privilege to make one.
    lock = JournalFileOpenLock(str(path))
    try:
        backend = JournalFileBackend(str(path), lock)
        cut = _cut_damaged_end(path, lock)
        if cut:
            which = "line was damaged and is" if cut == 1 else f"{cut} lines were damaged and are"
            say(f"{path}: the last {which} cut; trials that are lost by it are run again")
        try:
            journal = optuna.storages.JournalStorage(backend)
        except (ValueError, KeyError, TypeError) as error:
            raise _unreadable(path, error) from error
        yield journal
    finally:
        optuna.logging.set_verbosity(verbosity)


def _cut_damaged_end(path: Path, lock: Any) -> int:
    """Cut what a killed process or a power failure left at the end; the next line would be glued to it.

    Returns:
        How many lines were cut.

    Raises:
        ResultsError: for a damaged line before a whole one, since what follows it may depend on it.
    """
    lock.acquire()
    try:
        with path.open("r+b") as file:
            lines = list(file)
            whole = [number for number, line in enumerate(lines) if _is_whole(line)]
            kept = whole[-1] + 1 if whole else 0
            damaged = next((number for number in range(kept) if number not in whole), None)
            # A first line that ended was not torn: this file is something else.
            if damaged is None and kept == 0 and lines and lines[0].endswith(b"\n"):
                damaged = 0
            if damaged is not None:
                raise _unreadable(path, f"line {damaged + 1} is damaged")
            file.truncate(sum(map(len, lines[:kept])))
            return len(lines) - kept
    finally:
        lock.release()


def _is_whole(line: bytes) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:
        return False
    return line.endswith(b"\n") and isinstance(entry, dict) and "op_code" in entry


def _unreadable(path: Path, why: object) -> ResultsError:
    return ResultsError(
        f"{path} is no readable journal of trials ({why}); move the file away, and the trials are run again"
    )


class Study:
    """The trials of one method under fixed terms.

    Args:
        journal: where the trials are kept.
        locks: folder of the files by which processes tell each other what they are working on.
        method: name of the method.
        identity: sha256 over everything that the results of a trial depend on, but its hyper-parameters.
        seed: of the search.
        space: what is tuned.
        defaults: the value of each in the first trial.
    """

    def __init__(
        self,
        journal: JournalStorage,
        locks: Path,
        method: str,
        identity: str,
        seed: int,
        space: Mapping[str, Distribution],
        defaults: Mapping[str, Any],
    ) -> None:
        import optuna  # noqa: PLC0415  optional

        name = f"{method}-{identity[:12]}"
        self._study: OptunaStudy = optuna.create_study(
            storage=journal, study_name=name, direction="maximize", load_if_exists=True
        )
        self._locks = locks
        self._name = f"{safe_name(method)}-{identity[:12]}"
        self._key = zlib.crc32(method.encode())
        self._seed = seed
        self._space = space
        self._distributions = {key: _distribution(value) for key, value in space.items()}
        self._defaults = {key: defaults[key] for key in space}

    def trials(self) -> dict[int, Trial]:
        """The trials that ended, by number; another process may have added some since the last call."""
        ended = {}
        for frozen in self._study.get_trials(deepcopy=False):
            attributes = frozen.user_attrs
            ended[attributes["number"]] = Trial(value=frozen.value if frozen.values else None, **attributes)
        return dict(sorted(ended.items()))

    @contextmanager
    def claim(self, total: int) -> Iterator[int | None]:
        """Reserve the next trial for this process, for as long as the context lasts.

        The operating system frees what a killed process had reserved.

        Args:
            total: number of trials asked for.

        Yields:
            The trial's number; None where none can be begun now, since others work on all that can.
        """
        done = self.trials()
        for number in range(1, total + 1):
            if number in done or any(earlier not in done for earlier in range(1, _learns_from(number) + 1)):
                continue
            lock = filelock.FileLock(self._locks / f"{self._name}-{number}.lock", blocking=False)
            try:
                lock.acquire()
            except filelock.Timeout:
                continue
            try:
                # It may have ended between the look and the lock.
                if number not in self.trials():
                    yield number
                    return
            finally:
                lock.release()
                Path(lock.lock_file).unlink(missing_ok=True)
        yield None

    def propose(self, number: int) -> dict[str, Any]:
        """The tuned hyper-parameters of a trial, whose rounds before have ended.

        Args:
            number: from 1.
        """
        import optuna  # noqa: PLC0415  optional

        if number == 1:
            return dict(self._defaults)
        words = np.random.SeedSequence(self._seed, spawn_key=(self._key, number)).generate_state(1, np.uint32)
        sampler = optuna.samplers.TPESampler(seed=int(words[0]), n_startup_trials=_STARTUP, multivariate=True)
        past = optuna.create_study(sampler=sampler, direction="maximize")
        for trial in self.trials().values():
            if trial.number <= _learns_from(number) and trial.value is not None and self._inside(trial):
                past.add_trial(
                    optuna.trial.create_trial(
                        params=trial.parameters, distributions=self._distributions, value=trial.value
                    )
                )
        parameters: dict[str, Any] = past.ask(self._distributions).params
        return parameters

    def record(self, trial: Trial) -> None:
        """Keep a trial that ended."""
        import optuna  # noqa: PLC0415  optional

        inside = self._inside(trial)
        states = optuna.trial.TrialState
        attributes = {key: value for key, value in vars(trial).items() if key != "value"}
        self._study.add_trial(
            optuna.trial.create_trial(
                state=states.FAIL if trial.value is None else states.COMPLETE,
                params=trial.parameters if inside else {},
                distributions=self._distributions if inside else {},
                value=trial.value,
                user_attrs=attributes,
            )
        )

    def _inside(self, trial: Trial) -> bool:
        """Whether the space holds the hyper-parameters, as it need not hold a loss's defaults."""
        return all(_holds(self._space[key], value) for key, value in trial.parameters.items())


def _learns_from(number: int) -> int:
    """The last trial whose result the proposal of a trial may depend on."""
    return 0 if number <= _STARTUP else _STARTUP + (number - _STARTUP - 1) // _ROUND * _ROUND


def _distribution(space: Distribution) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution  # noqa: PLC0415  optional

    if isinstance(space, Choice):
        return CategoricalDistribution(space.options)
    return FloatDistribution(space.low, space.high, log=isinstance(space, LogUniform))


def _holds(space: Distribution, value: Any) -> bool:
    if isinstance(space, Choice):
        return value in space.options
    return isinstance(value, int | float) and space.low <= value <= space.high
