"""One method's trials: which hyper-parameters come next, and the journal where they are kept.

Hyper-parameters of a trial depend on the seed, the study, the trial's number and the results of earlier rounds, and on
nothing else: neither on kills and resumptions nor on how many processes share the work. The first trial has the
defaults, the next nine are random, and from then on Optuna's multivariate TPE (Bergstra et al. 2011, Algorithms for
Hyper-Parameter Optimization) proposes in rounds of four, which learn from all trials of the rounds before.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from huse_bench.errors import MissingExtraError
from huse_bench.files import safe_name
from huse_bench.results.locks import claimed
from huse_bench.space import Choice, Distribution, LogUniform

if TYPE_CHECKING:
    from optuna import Study as OptunaStudy
    from optuna.distributions import BaseDistribution
    from optuna.storages import JournalStorage

__all__ = ["SAMPLER", "Study", "Trial", "require_optuna"]

#: How hyper-parameters are proposed; part of a study's identity.
SAMPLER = "tpe-2"

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
        lots: sums of the objective over lots of items, as :class:`huse_bench.tuning.noise.Lots` has them; empty where
            the trial failed.
    """

    number: int
    parameters: dict[str, Any]
    value: float | None
    error: str | None
    seconds: float
    metrics: dict[str, float]
    lots: tuple[float, ...] = ()


def require_optuna() -> None:
    """Raise MissingExtraError where what a search needs is not installed."""
    for package, module in (("optuna", "optuna"), ("tomli-w", "tomli_w")):
        try:
            __import__(module)
        except ImportError as error:
            raise MissingExtraError("tuning", "tune", package) from error


class Study:
    """The trials of one method under fixed terms.

    Args:
        journal: where the trials are kept.
        locks: folder of the files by which processes tell each other what they are working on.
        method: name of the method.
        identity: sha256 over everything that the results of a trial depend on, but its hyper-parameters.
        seed: two numbers, that of the search and that of this study in it.
        space: what is tuned.
        defaults: the value of each in the first trial.

    Attributes:
        name: of the study in the journal.
    """

    def __init__(
        self,
        journal: JournalStorage,
        locks: Path,
        method: str,
        identity: str,
        seed: tuple[int, int],
        space: Mapping[str, Distribution],
        defaults: Mapping[str, Any],
    ) -> None:
        import optuna  # noqa: PLC0415  optional

        self.name = f"{method}-{identity[:12]}"
        self._study: OptunaStudy = optuna.create_study(
            storage=journal, study_name=self.name, direction="maximize", load_if_exists=True
        )
        self._locks = locks
        self._lock_name = f"{safe_name(method)}-{identity[:12]}"
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
            lots = tuple(attributes.get("lots", ()))
            value = frozen.value if frozen.values else None
            ended[attributes["number"]] = Trial(**{**attributes, "value": value, "lots": lots})
        return dict(sorted(ended.items()))

    @contextmanager
    def claim(self, total: int) -> Iterator[int | None]:
        """Reserve the next trial for this process, for as long as the context lasts.

        The operating system frees what a killed process had reserved.

        Args:
            total: number of trials asked for.

        Yields:
            The trial's number; None where none can be begun now, since others work on all that can.

        Raises:
            ResultsError: if the folder cannot be written to any more.
        """
        done = self.trials()
        for number in range(1, total + 1):
            if number in done or any(earlier not in done for earlier in range(1, _learns_from(number) + 1)):
                continue
            with claimed(self._locks / f"{self._lock_name}-{number}.lock") as mine:
                # It may have ended between the look and the lock.
                if mine and number not in self.trials():
                    yield number
                    return
        yield None

    def propose(self, number: int) -> dict[str, Any]:
        """The tuned hyper-parameters of a trial, whose rounds before have ended.

        Args:
            number: from 1.
        """
        import optuna  # noqa: PLC0415  optional

        if number == 1:
            return dict(self._defaults)
        seed, study = self._seed
        words = np.random.SeedSequence(seed, spawn_key=(self._key, study, number)).generate_state(1, np.uint32)
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
