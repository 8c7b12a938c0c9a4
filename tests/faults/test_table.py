"""The page about reliability has the table that these tests make."""

from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def test_the_page_has_the_faults_that_are_tried(faults, request):
    folder = Path(__file__).parent
    here = {path.name for path in folder.glob("test_*.py") if "pytest.mark.fault(" in path.read_text(encoding="utf-8")}
    seen = {item.path.name for item in request.session.items if item.path.parent == folder}
    if not here <= seen or request.config.getoption("keyword") or request.config.getoption("--write-table"):
        pytest.skip("only some of the faults are tried: pytest tests/faults")
    assert faults in PAGE.read_text(encoding="utf-8"), "write it: pytest tests/faults --write-table"
