"""What a change of bundles says, and that nobody's name does harm in it."""

import re
import runpy
from pathlib import Path

import pytest
from click.testing import CliRunner

import huse_bench.leaderboard
from huse_bench.cli.leaderboard import leaderboard
from huse_bench.leaderboard.changes import quoted

CHECK = Path(huse_bench.leaderboard.__file__).parent / "templates" / "repository" / "check_comment.py"


def compared(head, base):
    result = CliRunner().invoke(leaderboard, [str(head), "--compare", str(base)], catch_exceptions=False)
    assert result.exit_code == 0
    # What our own check refuses would never be posted.
    runpy.run_path(str(CHECK))["checked"](result.stdout)
    return result.stdout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HUSE", "`HUSE`"),
        ("a `b` | c\n\td", "`a 'b' / c d`"),
        ("x" * 200, f"`{'x' * 80}...`"),
        ("\u202egnirts\x07", "`[U+202E]gnirts[U+0007]`"),
        (" \n ", "`(none)`"),
    ],
)
def test_names_are_code(text, expected):
    assert quoted(text) == expected


def test_ranks_that_change(bundle, tmp_path):
    runs = {"huse": (range(3), 0.9), "cme": (range(3), 0.4)}
    bundle("old", runs, shelf="base")
    bundle("old", runs)
    assert "No rank changes." in compared(tmp_path / "bundles", tmp_path / "base")
    bundle("new", {"hie": (range(3), 0.65)}, authors=("Grace",), title="Mine")
    text = compared(tmp_path / "bundles", tmp_path / "base")
    assert re.search(
        r"### New bundles\n\n- `Mine` by `Grace`, self-reported \(its own word\), bundle `[0-9a-f]{12}`", text
    )
    assert re.search(r"\| `HIE` of `[0-9a-f]{12}` \| new \| 2 \| 2 \| 2 \| 2 \| 2 \|", text)
    assert re.search(r"\| `CME` of `[0-9a-f]{12}` \|  \| 2 to 3 \|", text)
    assert "`HUSE`" not in text
    back = compared(tmp_path / "base", tmp_path / "bundles")
    assert "### Bundles that go\n\n- `Mine`" in back
    assert "3 to 2" in back


def test_what_would_expire_and_a_changed_verification_are_said(bundle, tmp_path):
    runs = {"huse": (range(2), 0.9)}
    bundle("old", runs, shelf="base")
    bundle("old", runs, level="re-rendered")
    text = compared(tmp_path / "bundles", tmp_path / "base")
    assert "- `Runs`: self-reported to re-rendered" in text
    bundle("new", runs, level="reproduced elsewhere", dataset__content_hash="other")
    text = compared(tmp_path / "bundles", tmp_path / "base")
    assert re.search(r"### Would expire\n\n- `HUSE` of `[0-9a-f]{12}`: `other data: the hash of the contents is", text)


@pytest.mark.usefixtures("hostile")
def test_hostile_names_are_harmless(tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "bundles" / "bad`@all`<b>").mkdir()
    text = compared(tmp_path / "bundles", tmp_path / "base")
    outside = re.sub(r"`[^`\n]*`", "", text)
    assert not re.search(r"[<>\[\]@]", outside)
    assert "everyone" in text
    assert "\u202e" not in text
