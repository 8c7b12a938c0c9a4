"""The shipped dataset 'icons': what it holds."""

import hashlib
import json
from collections import Counter, defaultdict

import numpy as np
import pytest

from huse_bench import Items
from huse_bench_datasets.icons import Icons

SETS = ("tabler", "mdi", "fontawesome", "phosphor", "lucide")


@pytest.fixture(scope="module")
def items() -> Items:
    return Icons().load()


def _class_of(items, name: str) -> str:
    return items.class_names[items.labels[list(items.ids).index(name)]]
