"""The features that a dataset does not bring, made by backbones or taken from the cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from huse_bench.components import Features, Items
from huse_bench.config import Precision
from huse_bench.errors import ConfigError, DataError
from huse_bench.features._backbones import FeatureKind, Opened, open_backbone, own_features_fit
from huse_bench.features._decode import TOO_LARGE
from huse_bench.features._encode import Encoded, Encoder
from huse_bench.features._pixels import Flaw
from huse_bench.features._selection import selected, taken

__all__ = ["complete"]

_SHOWN = 10


def complete(
    items: Items,
    encoder: Encoder,
    asked: Mapping[FeatureKind, str | None],
    defaults: Mapping[FeatureKind, str],
    *,
    precision: Precision = "float32",
    strict: bool = False,
) -> Items:
    """Fill in features, and leave out items whose picture cannot be decoded.

    Args:
        items: what a dataset loaded.
        encoder: makes features.
        asked: the backbone that the user named, by kind.
        defaults: the backbones of the dataset, for features that it does not bring.
        precision: what backbones compute in, where they can.
        strict: refuse pictures that are damaged.

    Returns:
        The items with all three features, and with a notice for each backbone that cannot compute in the precision and
        each kind of damage: how many there are, the first, and what lists them all.

    Raises:
        ConfigError: if features are missing and no backbone was named, or the named one does not fit; if no features
            would be made in a precision that was asked for.
        DataError: if pictures are missing; if none can be decoded, or a class loses all its items; with ``strict`` if
            one is damaged.
        PluginError: if a backbone fails.
    """
    name = encoder.dataset
    # Every mistake in what was asked shows before the first picture is read.
    image = _choose("image", items.image_features, items.images, asked, defaults, name, precision)
    text = _choose("text", items.text_features, items.texts, asked, defaults, name, precision)
    of_classes = items.class_names if items.class_texts is None else items.class_texts
    classes = _choose("class", items.class_features, of_classes, asked, defaults, name, precision)
    if classes is not None and items.texts is None and getattr(classes.backbone, "fitted", False):
        raise ConfigError(
            f"the backbone {classes.written!r} learns from the texts of the train split, and the dataset {name!r} has "
            f"no texts; name another with --class-backbone"
        )
    lines = _without_precision({"image": image, "text": text, "class": classes}, precision, name)
    items = replace(items, notices=(*items.notices, *lines))

    if image is not None:
        assert items.images is not None
        encoded = encoder.pictures(image, items.images)
        items = replace(items, image_features=Features(encoded.values, image.label))
        items = _without_flaws(items, encoded, encoder, strict=strict)
    # Whole web pages of a large data set are read from disk one by one, so only for who learns from them.
    fitted = any(opened is not None and getattr(opened.backbone, "fitted", False) for opened in (text, classes))
    train = []
    if fitted and items.texts is not None:
        train = taken(items.texts, np.flatnonzero(items.splits == "train"))
    if text is not None:
        assert items.texts is not None
        values = encoder.texts("text", text, items.texts, train).values
        items = replace(items, text_features=Features(values, text.label))
    if classes is not None:
        values = encoder.texts("class", classes, of_classes, train).values
        items = replace(items, class_features=Features(values, classes.label))
    return items


def _choose(
    kind: FeatureKind,
    own: Features | None,
    raw: Sequence[object] | None,
    asked: Mapping[FeatureKind, str | None],
    defaults: Mapping[FeatureKind, str],
    dataset: str,
    precision: Precision,
) -> Opened | None:
    """The backbone to run; None where the dataset's own features are used."""
    named = asked.get(kind)
    if own is not None and (named is None or own_features_fit(named, own.backbone, precision)):
        return None
    option = f"--{kind}-backbone"
    backbone = named or defaults.get(kind)
    if backbone is None:
        raise ConfigError(
            f"the dataset {dataset!r} brings no {kind} features and names no backbone that makes them; name one with "
            f"{option}, see huse-bench plugins list"
        )
    if raw is None:
        brings = f"{kind} features of {own.backbone}" if own is not None else f"no {kind} features"
        raise ConfigError(
            f"the dataset {dataset!r} brings {brings} and no raw items to run {backbone!r} on; leave {option} out"
            if own is not None
            else f"the dataset {dataset!r} brings {brings} and no raw items to run {backbone!r} on; it cannot be used"
        )
    return open_backbone(backbone, kind, precision)


def _without_precision(chosen: Mapping[str, Opened | None], precision: Precision, dataset: str) -> list[str]:
    """A line for each backbone that cannot compute in a precision; raises ConfigError where none can."""
    without = {kind: opened for kind, opened in chosen.items() if opened is not None and opened.precision != precision}
    if precision != "float32" and not any(opened and opened.precision == precision for opened in chosen.values()):
        why = (
            f"of the backbones that make them ({', '.join(opened.written for opened in without.values())}) none can"
            if without
            else "it brings all of them"
        )
        raise ConfigError(
            f"no features of the dataset {dataset!r} would be made in {precision}, for {why}; leave the feature "
            f"precision out, or name a backbone that can, such as with --text-backbone"
        )
    return [
        f"the {kind} features are in float32, for the backbone {opened.written!r} cannot compute in {precision}; name "
        f"one that can with --{kind}-backbone, or leave it so"
        for kind, opened in without.items()
    ]


def _without_flaws(items: Items, encoded: Encoded, encoder: Encoder, *, strict: bool) -> Items:
    if not encoded.flaws:
        return items
    assert items.images is not None
    details = f"huse-bench features show {encoded.entry.name} lists them all"
    kinds = {
        "cannot be decoded and are left out": ("left out", False),
        f"have more than max_pixels = {encoder.max_pixels} and are left out (a larger max_pixels reads them)": (
            "left out",
            True,
        ),
        "are truncated and were read as far as they go": ("truncated", False),
    }
    lines, listed = [], []
    for words, kind in kinds.items():
        flawed = {
            item: reason
            for item, (status, reason) in encoded.flaws.items()
            if (status, reason.startswith(TOO_LARGE)) == kind
        }
        if flawed:
            head = f"{len(flawed)} of {len(items.ids)} pictures {words}"
            shown = ", ".join(f"{items.images[item]} ({reason})" for item, reason in list(flawed.items())[:_SHOWN])
            more = f" and {len(flawed) - _SHOWN} more; {details}" if len(flawed) > _SHOWN else ""
            listed.append(f"{head}: {shown}{more}")
            # Records keep this, so it names items, not places of this machine, and stays short.
            item, reason = next(iter(flawed.items()))
            first = f"{items.ids[item]} ({reason})"
            lines.append(f"{head}: {first}" if len(flawed) == 1 else f"{head}, such as {first}; {details}")
    if strict:
        raise DataError(f"{encoder.dataset}: damaged pictures, which --strict refuses:\n  " + "\n  ".join(listed))
    keep = np.ones(len(items.ids), dtype=bool)
    keep[[item for item, flaw in encoded.flaws.items() if flaw[0] == "left out"]] = False
    _check_classes(items, keep, encoded.flaws, encoder.dataset, details)
    return selected(replace(items, notices=(*items.notices, *lines)), np.flatnonzero(keep))


def _check_classes(
    items: Items,
    keep: NDArray[np.bool_],
    flaws: Mapping[int, Flaw],
    dataset: str,
    details: str,
) -> None:
    assert items.images is not None
    if not keep.any():
        item, (_, reason) = next(iter(flaws.items()))
        raise DataError(
            f"{dataset}: none of the {len(keep)} pictures can be decoded, the first, {items.images[item]}: {reason}; "
            f"give picture files such as JPEG, PNG or WebP"
        )
    lost = sorted(set(items.labels.tolist()) - set(items.labels[keep].tolist()))
    if lost:
        count = int((items.labels == lost[0]).sum())
        raise DataError(
            f"{dataset}: none of the {count} pictures of the class {items.class_names[lost[0]]!r} can be decoded, so "
            f"it is empty ({len(lost)} such classes); repair them or take the class out of the data. {details}"
        )
