"""What the runner relies on in a loss: the group ``api``."""

from __future__ import annotations

import inspect
import io
import math
import pickle
import re
from dataclasses import replace
from typing import Any, get_args

import torch

from huse_bench.components import Heads, Loss
from huse_bench.components._docstring import LONGEST_SOURCE, LONGEST_SUMMARY, source_of, summary_of
from huse_bench.errors import PluginError
from huse_bench.space import Choice, Distribution
from huse_bench.testing._check import Check, CheckFailure, CheckSkip, require_component
from huse_bench.testing._scene import Scene, SubjectLoss, gradients, make_scene, total
from huse_bench.training.ranking import check_similarity

__all__ = ["API_CHECKS"]

_SIMILARITY = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*/v[0-9]+")


def _declares(subject: SubjectLoss) -> None:
    cls = subject.cls
    require_component(cls, Loss)
    choices = {"heads": get_args(Heads), "embedding": ("free", "classes"), "class_graph": ("names", "taxonomy")}
    for name, allowed in choices.items():
        if getattr(cls, name) not in allowed:
            raise CheckFailure(f"{name} = {getattr(cls, name)!r}: it must be one of {', '.join(map(repr, allowed))}")
    for name in ("head_scale", "head_rate"):
        value = getattr(cls, name)
        if value is None and name == "head_scale":
            continue
        if not isinstance(value, int | float) or not 0 < value < math.inf:
            raise CheckFailure(f"{name} = {value!r}: it must be a number above 0")
        if cls.heads == "none" and value != getattr(Loss, name):
            raise CheckFailure(
                f'{name} is about heads, and the loss declares none: set heads = "shared" or leave it out'
            )
    if cls.class_graph == "taxonomy" and not cls.semantic and cls.embedding == "free":
        raise CheckFailure(
            'class_graph = "taxonomy" says what the class graph is made of, and the loss uses none: set '
            "semantic = True or leave it out"
        )
    variance = cls.initial_variance
    if variance is not None and (not isinstance(variance, int | float) or not 0 < variance < math.inf):
        raise CheckFailure(f"initial_variance = {variance!r}: it must be a number above 0, or None for no variances")
    if cls.similarity != "cosine" and not _SIMILARITY.fullmatch(str(cls.similarity)):
        raise CheckFailure(
            f"similarity = {cls.similarity!r}: it must be a name and a version for the protocol id, such as "
            '"lorentz/v1", or "cosine"'
        )
    check_similarity(cls)


def _documented(subject: SubjectLoss) -> None:
    if not (subject.cls.__doc__ or "").strip() or subject.cls.__doc__ == Loss.__doc__:
        raise CheckFailure("the class has no docstring: say what the loss is, its arguments and its source")
    if (summary_of(subject.cls) or "").endswith("\N{HORIZONTAL ELLIPSIS}"):
        raise CheckFailure(
            f"the first sentence of the docstring has more than {LONGEST_SUMMARY} characters, and reports show no "
            f"more: say in one short sentence what the loss is, and the rest behind it"
        )
    if (source_of(subject.cls) or "").endswith("\N{HORIZONTAL ELLIPSIS}"):
        raise CheckFailure(
            f"the docstring's reference has more than {LONGEST_SOURCE} characters, and reports show no more: name the "
            f"paper and the equation"
        )


def _builds_from_defaults(subject: SubjectLoss) -> None:
    needed = [
        name
        for name, parameter in inspect.signature(subject.cls).parameters.items()
        if parameter.default is inspect.Parameter.empty and parameter.kind not in (2, 4)
    ]
    if needed:
        raise CheckFailure(f"{', '.join(needed)} of the constructor has no default, so the loss cannot be run by name")
    subject.cls()


def _space_fits(subject: SubjectLoss) -> None:
    space = subject.cls.space
    if not space:
        raise CheckSkip("it declares no tuning space")
    parameters = inspect.signature(subject.cls).parameters
    for name, distribution in space.items():
        if name not in parameters:
            raise CheckFailure(
                f"space has {name!r}, which is no argument of the constructor ({', '.join(parameters) or 'none'})"
            )
        for value in _samples(distribution):
            try:
                subject.cls(**{**subject.parameters, name: value})
            except Exception as error:
                raise CheckFailure(f"space holds {name} = {value!r}, which the constructor refuses: {error}") from error


def _samples(distribution: Distribution) -> list[Any]:
    if isinstance(distribution, Choice):
        return list(distribution.options)
    return [distribution.low, (distribution.low * distribution.high) ** 0.5 or distribution.high / 2, distribution.high]


def _named_scalars(subject: SubjectLoss) -> None:
    loss = subject.build()
    total(loss, make_scene().batch(loss))


def _finite(subject: SubjectLoss) -> None:
    _require_finite(subject, make_scene(64), "random unit rows")


def _finite_on_zero_rows(subject: SubjectLoss) -> None:
    scene = make_scene()
    keep = torch.ones(len(scene.labels), 1).index_fill_(0, torch.tensor([0]), 0)
    _require_finite(
        subject,
        scene.map(lambda rows: rows * keep),
        "a batch with an item whose embeddings are all zeros; divide by lengths with an epsilon "
        "(torch.nn.functional.normalize has one), and keep zero out of square roots",
    )


def _finite_on_one_class(subject: SubjectLoss) -> None:
    scene = make_scene()
    rows = (scene.labels == 1).nonzero()[:, 0]
    _require_finite(
        subject, scene.select(rows), "a batch of one class, which has no negatives; a mean over none of them is NaN"
    )


def _finite_on_one_item(subject: SubjectLoss) -> None:
    scene = make_scene().select(torch.tensor([0]))
    _require_finite(
        subject,
        scene,
        "a batch of one item; a statistic over the batch, such as its standard deviation, is undefined there: "
        "use one that exists for a single item, or skip it",
    )


def _require_finite(subject: SubjectLoss, scene: Scene, where: str) -> None:
    loss = subject.build()
    scene, leaves = scene.leaves(loss)
    value = total(loss, scene.batch(loss))
    if not math.isfinite(value.item()):
        raise CheckFailure(f"its value is {value.item()} on {where}")
    for name, gradient in gradients(value, leaves).items():
        if gradient is not None and not gradient.isfinite().all():
            raise CheckFailure(f"its gradient for {name} is not finite on {where}")


def _reaches_both_towers(subject: SubjectLoss) -> None:
    loss = subject.build()
    scene, leaves = make_scene(64).leaves(loss)
    value = total(loss, scene.batch(loss))
    if not value.requires_grad:
        raise CheckFailure(
            "its value has no gradient: it does not depend on the embeddings, or they were detached "
            "(.detach(), .item(), torch.no_grad, numpy) on the way"
        )
    found = gradients(value, leaves)
    for name in ("image", "text"):
        gradient = found[name]
        if gradient is None or not gradient.any():
            raise CheckFailure(
                f"no gradient reaches the {name} tower, so it would never be trained: use batch.{name} or "
                f"batch.{name}_logits, and do not detach them"
            )


def _uses_the_variances_it_declares(subject: SubjectLoss) -> None:
    loss = subject.build()
    if loss.initial_variance is None:
        raise CheckSkip("it declares no variances")
    scene, leaves = make_scene(64).leaves(loss)
    for name, gradient in gradients(total(loss, scene.batch(loss)), leaves).items():
        if name.endswith("log_variance") and (gradient is None or not gradient.any()):
            raise CheckFailure(
                f"no gradient reaches batch.{name}, so these variances would never be trained: use them, do not detach "
                "them, or leave initial_variance out"
            )


def _deterministic(subject: SubjectLoss) -> None:
    values = []
    for _ in range(2):
        loss = subject.build()
        torch.manual_seed(1)
        values.append(total(loss, make_scene().batch(loss)).item())
    if values[0] != values[1]:
        raise CheckFailure(
            f"equal seeds gave {values[0]} and {values[1]}: draw random numbers from torch's generator, which the core "
            "seeds, and from no other"
        )


def _leaves_its_input(subject: SubjectLoss) -> None:
    loss = subject.build()
    scene, leaves = make_scene().leaves(loss)
    # As from a tower: no leaf, so that a change in place raises nothing.
    scene = replace(scene, **{name: getattr(scene, name) * 1 for name in leaves})
    names = (*leaves, "labels")
    before = {name: getattr(scene, name).detach().clone() for name in names}
    total(loss, scene.batch(loss))
    for name in names:
        tensor = getattr(scene, name)
        if not torch.equal(tensor.detach(), before[name]):
            raise CheckFailure(f"it changes batch.{name} in place: work on a new tensor (x = x * 2, not x *= 2)")


def _in_float64(subject: SubjectLoss) -> None:
    values = []
    for dtype in (torch.float32, torch.float64):
        loss = subject.build().to(dtype)
        torch.manual_seed(1)
        value = total(loss, make_scene(64, dtype=dtype).batch(loss))
        if value.dtype != dtype:
            raise CheckFailure(f"rows of {dtype} give a value of {value.dtype}: make new tensors with the rows' dtype")
        values.append(value.item())
    if not math.isclose(values[0], values[1], rel_tol=1e-3, abs_tol=1e-4):
        raise CheckFailure(f"it is {values[0]} in float32 and {values[1]} in float64: something loses precision")


def _copies(subject: SubjectLoss) -> None:
    loss = subject.build()
    copy = pickle.loads(pickle.dumps(loss))  # noqa: S301  made on the line itself
    stored = io.BytesIO()
    torch.save(loss.state_dict(), stored)
    stored.seek(0)
    restored = subject.build(seed=1)
    restored.load_state_dict(torch.load(stored, weights_only=True))
    values = set()
    for one in (loss, copy, restored):
        torch.manual_seed(1)
        values.add(total(one, make_scene().batch(one)).item())
    if len(values) > 1:
        raise CheckFailure(
            "a pickled copy, or one with its state_dict loaded, gives another value: keep learned tensors as "
            "torch.nn.Parameter or by register_buffer"
        )


def _uses_what_it_declares(subject: SubjectLoss) -> None:
    loss = subject.build()
    try:
        total(loss, make_scene().batch(loss))
    except PluginError as error:
        raise CheckFailure(str(error)) from error


def _takes_the_rows_it_declares(subject: SubjectLoss) -> None:
    loss = subject.build()
    if loss.unit_rows:
        raise CheckSkip("it declares unit rows")
    _require_finite(
        subject, make_scene().map(lambda rows: 10 * rows), "rows of length 10, which unit_rows = False admits"
    )


#: In the order in which a failure is best read.
API_CHECKS = (
    Check("declares", "api", "It is a Loss of this contract version with a title.", _declares),
    Check("documented", "api", "Its class has a docstring that reports can show.", _documented),
    Check("builds_from_defaults", "api", "Every argument of its constructor has a default.", _builds_from_defaults),
    Check("space_fits", "api", "What its tuning space holds, its constructor takes.", _space_fits),
    Check("uses_what_it_declares", "api", "It uses only the batch fields that it declares.", _uses_what_it_declares),
    Check("named_scalars", "api", "It returns named scalars.", _named_scalars),
    Check("finite", "api", "Value and gradient are finite on random rows.", _finite),
    Check("finite_on_zero_rows", "api", "They are with an embedding of zeros.", _finite_on_zero_rows),
    Check("finite_on_one_class", "api", "They are in a batch of one class.", _finite_on_one_class),
    Check("finite_on_one_item", "api", "They are in a batch of one item.", _finite_on_one_item),
    Check(
        "takes_the_rows_it_declares", "api", "They are on rows that are no unit vectors.", _takes_the_rows_it_declares
    ),
    Check("reaches_both_towers", "api", "Both towers get a gradient.", _reaches_both_towers),
    Check(
        "uses_the_variances_it_declares",
        "api",
        "So do both towers' variances, where it declares them.",
        _uses_the_variances_it_declares,
    ),
    Check("deterministic", "api", "Equal seeds give equal values.", _deterministic),
    Check("leaves_its_input", "api", "It changes nothing in the batch.", _leaves_its_input),
    Check("in_float64", "api", "Float32 and float64 agree.", _in_float64),
    Check("copies", "api", "Pickle and state_dict keep all of it.", _copies),
)
