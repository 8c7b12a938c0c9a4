"""Reference numbers: literal inputs, and what independent implementations made of them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from huse_bench.taxonomy import Taxonomy


@pytest.fixture(scope="session")
def reference():
    return json.loads((Path(__file__).parent / "reference.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def edges(reference):
    return [tuple(edge) for edge in reference["taxonomy"]["edges"]]


@pytest.fixture(scope="session")
def taxonomy(reference, edges):
    return Taxonomy.from_edges(edges, classes=reference["taxonomy"]["classes"])


@pytest.fixture(scope="session")
def embeddings(reference):
    rows = {name: torch.tensor(reference[name], dtype=torch.float64) for name in ("image", "text")}
    return {name: torch.nn.functional.normalize(values, dim=1) for name, values in rows.items()}


@pytest.fixture(scope="session")
def labels(reference):
    return np.array(reference["labels"])
