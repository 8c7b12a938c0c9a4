"""What a search is of: the methods, what of their spaces is tuned, and the identity of their studies."""

from __future__ import annotations

from typing import Any

from huse_bench.config import RunConfig
from huse_bench.discovery import components
from huse_bench.errors import ConfigError, PluginError
from huse_bench.features import Prepared
from huse_bench.fingerprint import fingerprint
from huse_bench.progress import Reporter
from huse_bench.results.schema import Json
from huse_bench.runs.identity import run_identity
from huse_bench.runs.methods import Method, resolve_methods
from huse_bench.space import Choice, Distribution
from huse_bench.tuning.objective import Objective
from huse_bench.tuning.study import SAMPLER

__all__ = ["given", "identity_of", "methods_to_tune", "space_of", "training_seed"]

# Far from the seeds of runs: a run that repeated the best trial would have the luck that it was chosen for.
_FIRST_SEED = 1000


def training_seed(seed: int, study: int) -> int:
    """The seed that the trials of a study are trained with.

    Args:
        seed: of the search.
        study: number of the study, from 1.
    """
    return _FIRST_SEED + seed + study - 1


def methods_to_tune(config: RunConfig, reporter: Reporter) -> list[Method]:
    """The methods that a search is of.

    Args:
        config: names them; where it does not, they are all that declare a space.
        reporter: says which are left out.

    Returns:
        The methods.

    Raises:
        ConfigError: for a named method without a space.
    """
    if config.methods is not None:
        methods = resolve_methods(config)
    else:
        methods = [method for method in resolve_methods(config) if method.loss_class.space]
        names = {method.name for method in methods}
        for component in components("loss"):
            if component.name not in names:
                why = "declares no tuning space" if component.status == "available" else f"is {component.status}"
                reporter.say(f"{component.name} is left out: it {why}")
    for method in methods:
        if not method.loss_class.space:
            raise ConfigError(
                f"the method {method.name!r} declares no tuning space, so there is nothing to tune. Leave it out of "
                f"--methods; a later huse-bench run --params compares it at its defaults, its only setting, and does "
                f"not count that as fewer trials"
            )
    return methods


def space_of(method: Method, config: RunConfig) -> dict[str, Distribution]:
    """What of a method's space is tuned: all but what the configuration gives.

    Args:
        method: one that declares a space.
        config: whose hyper-parameters are held.

    Returns:
        The distributions by hyper-parameter.

    Raises:
        ConfigError: where nothing is left.
        PluginError: for a space of what the loss's constructor does not have.
    """
    declared = method.loss_class.space
    for name in declared:
        if name not in method.parameters:
            raise PluginError(
                f"the loss {method.component.name!r} of {method.component.distribution} declares a tuning space for "
                f"{name!r}, which its constructor does not have; it has {', '.join(method.parameters)}"
            )
    held = given(method, config)
    space = {name: distribution for name, distribution in declared.items() if name not in held}
    if not space:
        raise ConfigError(
            f"nothing of {method.name!r} is left to tune: {config.origin('parameters')} gives "
            f"{', '.join(declared)}; leave out what should be tuned"
        )
    return space


def given(method: Method, config: RunConfig) -> dict[str, Any]:
    """Hyper-parameters of a method that the configuration gives, by either of its names."""
    names = (method.name, f"{method.component.distribution}::{method.name}")
    return next((config.parameters[name] for name in names if name in config.parameters), {})


def identity_of(
    method: Method,
    space: dict[str, Distribution],
    objective: Objective,
    config: RunConfig,
    prepared: Prepared,
    device: str,
    study: int,
) -> str:
    """Sha256 over everything that the results of a method's trials depend on, but the tuned hyper-parameters.

    Args:
        method: with the hyper-parameters of the first trial.
        space: what is tuned.
        objective: what is maximised.
        config: how trials are trained.
        prepared: what they are trained on.
        device: torch device that trains.
        study: number of the study, from 1.
    """
    described: dict[str, Json] = {
        name: ["choice", *value.options] if isinstance(value, Choice) else [type(value).__name__, value.low, value.high]
        for name, value in space.items()
    }
    return fingerprint(
        {
            "run": run_identity(config, method, prepared, device),
            "seed": config.seeds[0],
            "study": study,
            "trained with": training_seed(config.seeds[0], study),
            "space": described,
            "objective": [*sorted(objective.metrics)],
            "sampler": SAMPLER,
        }
    )
