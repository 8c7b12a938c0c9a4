"""The validation split: seeded and stratified, or as a published file says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from huse_bench import errors
from huse_bench_datasets._own_data.words import composed
from huse_bench_datasets._splits import held_out, split_hash
from huse_bench_datasets.food101._folder import listed
from huse_bench_datasets.food101._pictures import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["VALIDATION_SHARE", "split"]

#: Share of each class's train pictures that is held out for validation.
VALIDATION_SHARE = 0.1


def split(
    pictures: Sequence[Picture], labels: NDArray[np.int64], seed: int, split_file: Path | None
) -> tuple[NDArray[np.str_], str]:
    """Divide what is distributed as train into train and validation.

    Args:
        pictures: n pictures.
        labels: (n,) their class indices.
        seed: of the drawn validation split.
        split_file: where to read it instead: JSON with lists of file names, ``train``, ``val`` and ``test``.

    Returns:
        (n,) ``"train"``, ``"validation"`` or ``"test"``, and a line about it.

    Raises:
        DataError: if the file cannot be used, or a train picture of the folder is in neither its train nor its val.
    """
    names = [f"{picture.class_name}/{picture.name}" for picture in pictures]
    splits = np.array([picture.split for picture in pictures], dtype="<U10")
    train = np.flatnonzero(splits == "train")
    if split_file is None:
        chosen = held_out([names[row] for row in train.tolist()], labels[train], VALIDATION_SHARE, seed)
        how = f"{VALIDATION_SHARE:.0%} of each class's train pictures by seed {seed}"
    else:
        chosen = _listed_as_validation([pictures[row] for row in train.tolist()], split_file)
        how = f"as in {split_file.name}"
    splits[train[chosen]] = "validation"
    digest = split_hash(names, splits.tolist())
    return splits, f"validation split: {chosen.sum()} pictures, {how}; SHA-256 of the splits {digest[:12]}"


def _listed_as_validation(train: Sequence[Picture], split_file: Path) -> NDArray[np.bool_]:
    try:
        lists = json.loads(split_file.read_bytes())
        places = {composed(Path(name).stem): split for split in ("train", "val", "test") for name in lists[split]}
    except OSError as error:
        raise errors.DataError(f"cannot read the split file {split_file}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise errors.DataError(
            f"the split file {split_file} is not JSON with the lists of file names train, val and test ({error!r})"
        ) from error
    wrong = [picture.name for picture in train if places.get(picture.name) not in {"train", "val"}]
    if wrong:
        raise errors.DataError(
            f"pictures of images/train that are in neither train nor val of {split_file}: {len(wrong)}, namely "
            f"{listed(wrong)}. "
            "Use the split file that belongs to these pictures, or leave it out for a drawn split"
        )
    return np.array([places[picture.name] == "val" for picture in train], dtype=np.bool_)
