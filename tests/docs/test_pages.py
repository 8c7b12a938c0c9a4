"""The code on the pages for plugin authors runs, and the pages say what is so."""

import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import torch

from huse_bench.components import Dataset, Loss
from huse_bench.evaluation import BHP_PROTOCOL, CLASSIFICATION_PROTOCOL, HP_PROTOCOL, RECALL_PROTOCOL

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["write-a-loss", "write-a-backbone", "write-a-dataset", "trackers"])
def test_the_python_of_a_page_runs_from_top_to_bottom(page, monkeypatch):
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / f"{page}.md").read_text(), flags=re.DOTALL | re.MULTILINE)
    assert blocks
    # Pickle looks a class's module up.
    module = ModuleType(page.replace("-", "_"))
    module.torch = torch
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for block in blocks:
        exec(compile(block, f"docs/{page}.md", "exec"), vars(module))


@pytest.mark.parametrize("page", ["write-a-loss", "write-a-dataset", "trackers"])
def test_the_toml_of_a_page_is_toml(page):
    blocks = re.findall(r"^```toml\n(.*?)^```", (DOCS / f"{page}.md").read_text(), flags=re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        assert tomllib.loads(block)


def test_every_declaration_of_a_loss_is_explained():
    page = (DOCS / "write-a-loss.md").read_text()
    for name in Loss.__annotations__:
        if name != "api":
            assert f"`{name}`" in page


def test_every_declaration_of_a_dataset_is_explained():
    page = (DOCS / "write-a-dataset.md").read_text()
    for name in Dataset.__annotations__:
        if name != "api":
            assert f"`{name}`" in page or f"    {name} = " in page


def test_the_protocol_page_has_the_ids():
    page = (DOCS / "protocol.md").read_text()
    headings = re.findall(r"^## .*?`(.+)`$", page, flags=re.MULTILINE)
    assert headings == [RECALL_PROTOCOL["v2"], HP_PROTOCOL["v2"], BHP_PROTOCOL, CLASSIFICATION_PROTOCOL]
    assert f"`{RECALL_PROTOCOL['v1']}`" in page
    assert f"`{HP_PROTOCOL['v1']}`" in page
