"""UPMC Food-101: pictures of dishes with the texts of the web pages they are from, read from the user's copy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from huse_bench import Dataset, Items
from huse_bench_datasets.food101._folder import find
from huse_bench_datasets.food101._pictures import find_pictures
from huse_bench_datasets.food101._split import split
from huse_bench_datasets.food101._taxonomy import classes, taxonomy
from huse_bench_datasets.food101._texts import read_texts

__all__ = ["Food101"]


class Food101(Dataset):
    """Pictures of 101 dishes, each with the text of the web page it was found on (Wang et al., ICMEW 2015).

    Two layouts are known by looking: as first distributed, with whole pages in ``texts_txt``, and the mirror on
    Kaggle, with page titles in ``texts/train_titles.csv`` and ``texts/test_titles.csv``. The taxonomy is a tree over
    WordNet 3.0 that comes with huse-bench. A part of the data set will do: the classes that are there are evaluated.

    Args:
        data: folder of the copy, or one that holds that folder.
        validation_seed: draws the validation split, a tenth of each class's train pictures.
        split_file: path of a JSON file with lists of file names, ``train``, ``val`` and ``test``, whose ``val`` is the
            validation split instead; the split of 61,142 / 6,846 / 22,716 pictures that others use has this form.
    """

    title: ClassVar = "UPMC Food-101"
    description: ClassVar = (
        "Pictures of 101 dishes, each with the text of the web page it was found on (Wang et al., Recipe Recognition "
        "with Large Multimodal Food Dataset, ICMEW 2015); the taxonomy is a tree over WordNet 3.0"
    )
    licence: ClassVar = "huse-bench knows of none: pictures and texts are from web pages, whose owners' they are"
    backbones: ClassVar[Mapping[Literal["image", "text", "class"], str]] = {
        "image": "efficientnet-lite0",
        "text": "minilm",
        "class": "use",
    }

    def __init__(self, data: Path | None = None, validation_seed: int = 0, split_file: str = "") -> None:
        super().__init__(data)
        self.validation_seed = validation_seed
        self.split_file = Path(split_file) if split_file else None

    def load(self) -> Items:
        """List the pictures and read their texts; pictures are not opened.

        Returns:
            The items, with pictures and texts. What does not fit in the copy is in the notices.

        Raises:
            DataError: if the folder is none of the known layouts, or cannot be used as it is.
        """
        folder = find(self.data)
        pictures, picture_notices = find_pictures(folder)
        texts, text_notices = read_texts(folder, pictures)
        present = {picture.class_name for picture in pictures}
        class_names = [name for name in classes() if name in present]
        index = {name: label for label, name in enumerate(class_names)}
        labels = np.array([index[picture.class_name] for picture in pictures], dtype=np.int64)
        splits, split_notice = split(pictures, labels, self.validation_seed, self.split_file)
        return Items(
            ids=[f"{picture.class_name}/{picture.name}" for picture in pictures],
            labels=labels,
            splits=splits,
            class_names=class_names,
            taxonomy=taxonomy(class_names),
            images=[picture.path for picture in pictures],
            texts=texts,
            class_texts=[name.replace("_", " ") for name in class_names],
            notices=[*picture_notices, *text_notices, split_notice],
        )
