"""The backbone behind a name such as ``hf-image:google/vit-base-patch16-224``, ready to be used."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huse_bench.components import ImageBackbone, TextBackbone
from huse_bench.config import Precision
from huse_bench.discovery import find, load, split_reference
from huse_bench.errors import ConfigError

__all__ = ["FeatureKind", "Opened", "open_backbone", "own_features_fit"]

FeatureKind = Literal["image", "text", "class"]

_USUAL: Precision = "float32"


@dataclass(frozen=True)
class Opened:
    """A backbone that was made.

    Attributes:
        backbone: the backbone; its weights are not read before its first use.
        name: of the component.
        distribution: who provides it.
        reference: what stood behind the colon, or None.
    """

    backbone: ImageBackbone | TextBackbone
    name: str
    distribution: str
    reference: str | None

    @property
    def written(self) -> str:
        """The name as a user writes it."""
        return self.name if self.reference is None else f"{self.name}:{self.reference}"

    @property
    def label(self) -> str:
        """The name with the revision, as records keep it; of a folder of the user its name, wherever it lies."""
        name = self.written
        if self.reference is not None and (path := Path(self.reference).expanduser()).exists():
            name = f"{self.name}:{path.resolve().name}"
        return f"{name}@{self.backbone.revision}{_suffix(self.precision)}"

    @property
    def precision(self) -> str:
        """What it computes in."""
        return self.backbone.precision

    @property
    def described(self) -> str:
        """The name as a user writes it, with the precision where that is not the usual one."""
        return self.written if self.precision == _USUAL else f"{self.written} in {self.precision}"


def open_backbone(text: str, kind: FeatureKind, precision: Precision = "float32") -> Opened:
    """Find, import and make a backbone.

    Args:
        text: ``NAME``, ``NAME:REFERENCE``, or either behind ``distribution::``.
        kind: what it is asked to encode.
        precision: what it shall compute in, where it can; :attr:`Opened.precision` is what it does.

    Raises:
        ConfigError: if a reference is missing or not wanted, or the backbone encodes something else.
        UsageError, PluginError: if the backbone cannot be had.
    """
    name, reference = split_reference(text)
    component = find("backbone", name)
    backbone_class = load("backbone", name)
    option = f"--{kind}-backbone"
    wanted = ImageBackbone if kind == "image" else TextBackbone
    if not issubclass(backbone_class, wanted):
        encodes, needed = ("texts", "pictures") if kind == "image" else ("pictures", "texts")
        raise ConfigError(
            f"the backbone {component.name!r} encodes {encodes}, and {option} needs one that encodes {needed}; "
            f"see huse-bench plugins list"
        )
    if reference is not None and backbone_class.reference is None:
        raise ConfigError(
            f"the backbone {component.name!r} takes nothing after its name, but {text!r} was given; "
            f"write {option} {component.name}"
        )
    if reference == "" or (reference is None and _needs_reference(backbone_class)):
        raise ConfigError(
            f"the backbone {component.name!r} needs {backbone_class.reference} after its name; "
            f"write {option} {component.name}:REFERENCE"
        )
    # Its one argument is the reference, which the base class does not have.
    backbone = backbone_class() if reference is None else backbone_class(reference)  # type: ignore[call-arg]
    if precision in backbone.precisions:
        backbone.precision = precision
    return Opened(backbone, component.name, component.distribution, reference)


def own_features_fit(text: str, own: str, precision: Precision) -> bool:
    """Whether the backbone asked for is the one that made a dataset's own features.

    Args:
        text: as for :func:`open_backbone`.
        own: ``name@revision``.
        precision: what it was asked to compute in; one that it cannot compute in is no other one.

    Raises:
        UsageError, PluginError: if the backbone asked for cannot be had.
    """
    name, reference = split_reference(text)
    written = find("backbone", name).name + ("" if reference is None else f":{reference}")
    if written != own.rpartition("@")[0]:
        return False
    return own.endswith(_suffix("bfloat16")) == (
        precision == "bfloat16" and precision in load("backbone", name).precisions
    )


def _suffix(precision: str) -> str:
    """What a label says of the precision."""
    # Nothing of the usual one, so that features from before there were others stay what they are.
    return "" if precision == _USUAL else f"-{precision}"


def _needs_reference(backbone_class: type[ImageBackbone | TextBackbone]) -> bool:
    arguments = list(inspect.signature(backbone_class).parameters.values())
    return any(
        argument.default is argument.empty
        and argument.kind in (argument.POSITIONAL_ONLY, argument.POSITIONAL_OR_KEYWORD)
        for argument in arguments
    )
