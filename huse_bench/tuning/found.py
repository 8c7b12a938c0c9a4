"""What came of the trials of a search, and the file of the best hyper-parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import filelock

from huse_bench.config import RunConfig
from huse_bench.errors import ConfigError, ResultsError
from huse_bench.runs.methods import Method
from huse_bench.runs.params import Ledger, MethodLedger, ParamsFile, table_of
from huse_bench.space import Distribution
from huse_bench.tuning.bounds import at_bounds
from huse_bench.tuning.noise import Gain, Lots
from huse_bench.tuning.plan import given
from huse_bench.tuning.repeats import distinct, repeats
from huse_bench.tuning.study import Trial

__all__ = ["Tuned", "refuse_other_terms", "write_found"]


@dataclass(frozen=True)
class Tuned:
    """What came of one method's trials in one study.

    Attributes:
        method: with the hyper-parameters that the first trial had.
        study: number of the study, from 1.
        seed: that its trials were trained with.
        identity: sha256 over all that the trials depended on.
        trials: by number.
        space: what was tuned.
        queries: the items of the validation split in independent lots.
    """

    method: Method
    study: int
    seed: int
    identity: str
    trials: tuple[Trial, ...]
    space: Mapping[str, Distribution]
    queries: Lots

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

    @property
    def gain(self) -> Gain | None:
        """What the best trial scores more than the defaults, on the same queries; None where either failed."""
        default, best = self.trials[0], self.best
        return None if best is None or default.value is None else self.queries.gain(best.lots, default.lots)

    @property
    def remarks(self) -> list[str]:
        """What makes the result doubtful: a best value at a bound, trials that gave the same to the bit."""
        best = self.best
        return [*([] if best is None else at_bounds(best.parameters, self.space)), *repeats(self.trials)]


def refuse_other_terms(output: Path, terms: Ledger) -> None:
    """Raise ConfigError where the file to write holds what was tuned otherwise.

    Args:
        output: the file.
        terms: those of the search.
    """
    if not output.exists():
        return
    differences = ParamsFile.read(output).ledger.differences(terms)
    if differences:
        raise ConfigError(
            f"{output} holds hyper-parameters tuned on other terms: there {'; '.join(differences)}. "
            f"Choose another file with --output, or move this one away"
        )


def write_found(output: Path, terms: Ledger, tuned: Sequence[Tuned], config: RunConfig, locks: Path) -> None:
    """Add the best hyper-parameters to the file, beside those of other methods on the same terms.

    A method of which a study ended without a result is left out.

    Args:
        output: the file.
        terms: those of the search.
        tuned: what came of each method in each study, those of a method by ascending number.
        config: of the search.
        locks: folder of the lock by which processes take turns.

    Raises:
        ConfigError: where the file has come to hold what was tuned otherwise.
        ResultsError: if it cannot be written.
    """
    names = list(dict.fromkeys(result.method.name for result in tuned))
    of_methods = [[result for result in tuned if result.method.name == name] for name in names]
    found = [results for results in of_methods if all(result.best is not None for result in results)]
    if not found:
        return
    ledgers = {results[0].method.name: tuple(map(_ledger, results)) for results in found}
    tables = {
        results[0].method.name: tuple(
            table_of(result.method, given(result.method, config), _best(result).parameters) for result in results
        )
        for results in found
    }
    file = ParamsFile(ledger=terms.model_copy(update={"methods": ledgers}), methods=tables)
    try:
        with filelock.FileLock(locks / "params.lock"):
            refuse_other_terms(output, terms)
            (ParamsFile.read(output).merged(file) if output.exists() else file).write(output)
    except OSError as error:
        raise ResultsError(
            f"cannot write {output} ({error.strerror or error}); make it writable or choose another --output, and run "
            f"the command again: the trials are kept"
        ) from error


def _ledger(result: Tuned) -> MethodLedger:
    method, best, gain = result.method, _best(result), result.gain
    return MethodLedger(
        distribution=method.component.distribution,
        source_hash=method.source_hash,
        study=result.identity,
        seed=result.seed,
        trials=len(result.trials),
        failed=result.failed,
        distinct=result.distinct,
        best_trial=best.number,
        value=_value(best),
        default_value=result.trials[0].value,
        gain_interval=None if gain is None or gain.low is None or gain.high is None else (gain.low, gain.high),
        remarks=tuple(result.remarks),
        defaults={name: value for name, value in result.trials[0].parameters.items() if value is not None},
    )


def _best(result: Tuned) -> Trial:
    assert result.best is not None
    return result.best


def _value(trial: Trial) -> float:
    assert trial.value is not None
    return trial.value
