"""The protocol ids that this version knows, for who reads records without what counts them."""

from __future__ import annotations

from collections.abc import Mapping

from huse_bench.results.schema import Json

__all__ = ["KNOWN_PROTOCOLS", "unknown_protocol"]

#: Ids by what they are of; ``tests/bundles/test_checks.py`` holds them against those that evaluation writes.
KNOWN_PROTOCOLS: Mapping[str, frozenset[str]] = {
    "recall": frozenset(
        {
            "class-hit-rate/self-excluded-by-index/ties-by-index/v1",
            "class-hit-rate/own-group-excluded-but-its-pair/ties-by-index/v2",
        }
    ),
    "hp": frozenset(
        {
            "devise-shells/item-level/own-class-counts/denominator-k/v1",
            "devise-shells/item-level/own-class-counts/denominator-k/v2",
            "devise-shells/item-level/own-class-counts/denominator-k/of-classes-in-the-gallery/v1",
            "devise-shells/item-level/own-class-counts/denominator-k/of-classes-in-the-gallery/v2",
        }
    ),
    "bhp": frozenset({"barz-denzler/lcs-height/ideal-of-own-gallery/v1"}),
    "classification": frozenset(
        {
            "top-1/softmax-average/weight-by-validation-accuracy/v1",
            "top-1/temperature-by-validation-likelihood/softmax-average/weight-by-validation-accuracy/v2",
        }
    ),
}


def unknown_protocol(protocol: Mapping[str, Json]) -> str | None:
    """The first protocol id of a record that this version does not know.

    Args:
        protocol: of the record, without the similarity of a method's own.

    Returns:
        As ``"recall: 'x'"``; None where all are known.
    """
    for name, known in KNOWN_PROTOCOLS.items():
        value = protocol.get(name)
        # A taxonomy that is no tree has no BHP@K, and says so; records of before it have none either.
        without = name == "bhp" and (value is None or str(value).startswith("none: "))
        if value not in known and not without:
            return f"{name}: {value!r}"
    return None
