"""What the feature build relies on in a backbone."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from huse_bench.components import ImageBackbone, TextBackbone
from huse_bench.testing._check import Check, CheckFailure, CheckSkip, require_component

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["BACKBONE_CHECKS", "SubjectBackbone"]

_TEXTS = (
    "a red bicycle leaning on a wall",
    "two slices of chocolate cake",
    "grilled salmon with lemon",
    "crème brûlée, 東京, наука",
    "soup",
)


# Least cosine to the features in float32; networks of bfloat16 that work are nearer than 0.99.
_NEAR = 0.98


@dataclass
class SubjectBackbone:
    """The backbone to check.

    Attributes:
        cls: its class.
        reference: what stands behind the colon of its name, where it takes one.
    """

    cls: type[ImageBackbone | TextBackbone]
    reference: str | None = None
    _built: list[ImageBackbone | TextBackbone] = field(default_factory=list)

    def new(self) -> ImageBackbone | TextBackbone:
        """A backbone that has encoded nothing."""
        backbone = self.cls() if self.reference is None else self.cls(self.reference)  # type: ignore[call-arg]
        if isinstance(backbone, TextBackbone) and backbone.fitted:
            backbone.fit(list(_TEXTS))
        return backbone

    def ready(self) -> ImageBackbone | TextBackbone:
        """One that the checks share, since reading its weights may take long."""
        if not self._built:
            self._built.append(self.new())
        return self._built[0]

    def encode(self, backbone: ImageBackbone | TextBackbone, which: slice = slice(None)) -> NDArray[np.float32]:
        """The features of some of the example items."""
        if isinstance(backbone, TextBackbone):
            return backbone.encode(list(_TEXTS[which]))
        return backbone.encode(_pictures()[which])


def _pictures() -> list[Image]:
    from PIL import Image as pillow  # noqa: N813, PLC0415  only pictures need it

    rng = np.random.default_rng(0)
    shapes = ((240, 320), (64, 64), (31, 200), (500, 90))
    return [pillow.fromarray(rng.integers(0, 256, (*shape, 3), dtype=np.uint8)) for shape in shapes]


def _declares(subject: SubjectBackbone) -> None:
    require_component(subject.cls, ImageBackbone, TextBackbone)
    backbone = subject.new()
    for name, kind in (("revision", str), ("dim", int)):
        value = getattr(backbone, name, None)
        if not isinstance(value, kind) or not value:
            raise CheckFailure(f"{name} must be a {kind.__name__} that says something, got {value!r}")


def _shape_and_type(subject: SubjectBackbone) -> None:
    backbone = subject.ready()
    features = subject.encode(backbone)
    count = len(_TEXTS) if isinstance(backbone, TextBackbone) else len(_pictures())
    if features.shape != (count, backbone.dim) or features.dtype != np.float32:
        raise CheckFailure(
            f"{count} items must give float32 features of shape ({count}, {backbone.dim}), "
            f"got {features.dtype} of shape {features.shape}"
        )


def _finite_and_not_zero(subject: SubjectBackbone) -> None:
    backbone = subject.ready()
    features = subject.encode(backbone)
    if isinstance(backbone, TextBackbone):
        features = np.concatenate([features, backbone.encode(["", "zqx " * 2000])])
    if not np.isfinite(features).all():
        raise CheckFailure("some features are not finite")
    if not features.any(axis=1).all():
        raise CheckFailure("an item's features are all zeros, so it has no direction; an empty text needs some too")


def _deterministic(subject: SubjectBackbone) -> None:
    first, second = (subject.encode(subject.ready()) for _ in range(2))
    if not np.array_equal(first, second):
        raise CheckFailure("encoding twice gives two results: switch dropout off (.eval()) and draw no random numbers")


def _independent_of_the_batch(subject: SubjectBackbone) -> None:
    backbone = subject.ready()
    together = subject.encode(backbone)
    for row in range(len(together)):
        alone = subject.encode(backbone, slice(row, row + 1))[0]
        if not np.allclose(alone, together[row], rtol=1e-3, atol=1e-4 * np.abs(together).max()):
            raise CheckFailure(
                "an item's features depend on the items encoded with it: leave padding out of means, and use the "
                "statistics that the model learned (.eval())"
            )


def _tells_items_apart(subject: SubjectBackbone) -> None:
    features = subject.encode(subject.ready())
    if len(np.unique(features, axis=0)) < len(features):
        raise CheckFailure("different items have equal features")


def _preprocesses_in_other_processes(subject: SubjectBackbone) -> None:
    backbone = subject.new()
    if not isinstance(backbone, ImageBackbone):
        raise CheckSkip("it encodes texts")
    try:
        copy = pickle.loads(pickle.dumps(backbone))  # noqa: S301  made on the line itself
    except Exception as error:
        raise CheckFailure(
            f"it cannot be pickled ({error}), and preprocess runs in other processes: read weights at the first use"
        ) from error
    for picture in _pictures():
        here, there = (one.preprocess(picture) for one in (backbone, copy))
        if here.ndim != 3 or here.shape[0] != 3 or here.dtype != np.float32:
            raise CheckFailure(f"preprocess must give (3, H, W) float32, got {here.dtype} of shape {here.shape}")
        if not np.array_equal(here, there):
            raise CheckFailure("a pickled copy preprocesses a picture otherwise")


def _close_in_other_precisions(subject: SubjectBackbone) -> None:
    others = [precision for precision in subject.cls.precisions if precision != "float32"]
    if not others:
        raise CheckSkip("it computes in float32 alone")
    exact = subject.encode(subject.ready())
    for precision in others:
        backbone = subject.new()
        backbone.precision = precision
        features = subject.encode(backbone)
        if features.dtype != np.float32 or features.shape != exact.shape:
            raise CheckFailure(f"features made in {precision} must be float32 too, got {features.dtype}")
        lengths = np.linalg.norm(features, axis=1) * np.linalg.norm(exact, axis=1)
        nearest = float(((features * exact).sum(axis=1) / lengths).min())
        if not nearest >= _NEAR:
            raise CheckFailure(
                f"features made in {precision} have a cosine of {nearest:.4f} to those in float32, less than {_NEAR}: "
                f"take {precision} out of precisions, or keep the parts in float32 that lose most"
            )


def _check(name: str, summary: str, function: Callable[[SubjectBackbone], None]) -> Check:
    return Check(name, "api", summary, function)


#: In the order in which a failure is best read.
BACKBONE_CHECKS = (
    _check("declares", "It is a backbone of this contract version with title, revision and dim.", _declares),
    _check(
        "preprocesses_in_other_processes", "It pickles before its weights are read.", _preprocesses_in_other_processes
    ),
    _check("shape_and_type", "Features are (n, dim) float32.", _shape_and_type),
    _check("finite_and_not_zero", "Features are finite and no row is all zeros.", _finite_and_not_zero),
    _check("deterministic", "Encoding twice gives the same.", _deterministic),
    _check("independent_of_the_batch", "An item's features do not depend on its batch.", _independent_of_the_batch),
    _check("tells_items_apart", "Different items have different features.", _tells_items_apart),
    _check(
        "close_in_other_precisions",
        "What is made in a lower precision is float32 and hardly other.",
        _close_in_other_precisions,
    ),
)
