"""What is measured, once for all who count, keep or show it: directions, the K of the tables, what is classified."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

__all__ = [
    "CURVE_K",
    "DIRECTIONS",
    "DIRECTION_TITLES",
    "HP_KS",
    "IN_MODAL",
    "NEIGHBOURS",
    "RECALL_KS",
    "TABLE_METRICS",
    "TASKS",
    "Direction",
    "Task",
]

Direction = Literal["i2i", "i2t", "t2i", "t2t"]

#: The four retrieval directions, query before gallery, in the order of the paper's tables.
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)

#: What tables call them.
DIRECTION_TITLES: Mapping[str, str] = {
    "i2i": "Image to Image",
    "i2t": "Image to Text",
    "t2i": "Text to Image",
    "t2t": "Text to Text",
}

#: Before the names of what is other in the directions that stay within a modality, such as chance.
IN_MODAL = "in-modal "

#: K of the paper's Table 1.
RECALL_KS = (1, 5, 10)

#: K of the paper's Table 2.
HP_KS = (2, 5, 10)

#: The last K of the curves of R@K and HP@K.
CURVE_K = 50

#: How many of the first items of each query are kept, where any are.
NEIGHBOURS = 10

#: Metrics that every direction of a finished run has: the columns of the paper's Tables 1 and 2.
TABLE_METRICS = (*(f"R@{k}" for k in RECALL_KS), *(f"HP@{k}" for k in HP_KS))

Task = Literal["image", "text", "fusion"]

#: What is classified: the columns of the paper's Table 3.
TASKS: tuple[Task, ...] = get_args(Task)
