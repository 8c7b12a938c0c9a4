"""What a source's digest depends on: what runs, and nothing that is only read."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import huse_bench
from huse_bench.fingerprint import source_digest

SOURCE = '''"""A module of\ntwo lines."""
import math


class Scale:
    """Scales."""

    rate: float = 0.5  # a share

    def __call__(self, x, *, name="# no comment"):
        """Scale a number.

        Returns:
            It.
        """
        if x > 1:
            x = x * self.rate
            x += 1
        return f"{name}: {x!r:>{8}} " + """
  kept
\t
"""


async def later(): return math.pi, "é", """no
    docstring"""
'''
LINES = SOURCE.split("\n")
# Lines that end inside of a string, by hand.
WITHIN = {0, 11, 12, 13, 14, 19, 20, 21, 25}


@pytest.fixture
def digest(tmp_path):
    def of(text):
        path = tmp_path / "module.py"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return source_digest({"module.py": path})

    return of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sources")


def digest_in(folder, text):
    (folder / "module.py").write_text(text, encoding="utf-8", newline="")
    return source_digest({"module.py": folder / "module.py"})


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(set(range(len(LINES))) - WITHIN)),
            st.sampled_from(["  # seen", " \t", '  # \'é\' """', "\n", "\n\n  # x"]),
        )
    ),
)
def test_comments_blank_lines_and_trailing_space_count_for_nothing(folder, inserted):
    lines = list(LINES)
    for line, text in inserted:
        lines[line] += text
    assert digest_in(folder, "\n".join(lines)) == digest_in(folder, SOURCE)


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters='"\\')))
def test_docstrings_count_for_nothing(folder, words):
    for old in ("Scales.", "Scale a number.", "A module of\ntwo lines."):
        assert digest_in(folder, SOURCE.replace(old, words.replace("\0", ""))) == digest_in(folder, SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('    """Scales."""\n', ""),
        ('"""A module of\ntwo lines."""\n', '# none\n"""Another.""" # é\n'),
        ('"""Scales."""', 'r"""Sc\\ales."""  # of "old"'),
        ('"""Scales."""', '"Sca" \\\n    "les"'),
        ("async def later(): return", 'async def later(): "é doc"; return'),
        ("\n", "\r\n"),
        ("\n", "\r"),
    ],
)  # fmt: skip
def test_what_is_only_read_counts_for_nothing(digest, old, new):
    assert old in SOURCE
    assert digest(SOURCE.replace(old, new)) == digest(SOURCE)


def test_neither_does_a_byte_order_mark_nor_an_encoding_that_is_named(digest):
    assert digest(b"\xef\xbb\xbf" + SOURCE.encode()) == digest(SOURCE)
    assert digest(b"# coding: latin-1\n" + SOURCE.encode("latin-1")) == digest(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.5", "0.25"),
        ("x > 1", "x >= 1"),
        ("rate", "share"),
        ("            x += 1", "        x += 1"),
        ("# no comment", "# a comment"),
        ("  kept", " kept"),
        ("\t\n", "\n"),
        ("  kept\n", "  kept\n\n"),
        ("  kept", "  kept  "),
        ("no\n    docstring", "no\n\n    docstring"),
        ("{8}", "{9}"),
        ("é", "è"),
        ("import math", "import cmath as math"),
        ('"""Scales."""', 'words = """Scales."""'),
        ('"""Scales."""', 'f"""Scales."""'),
        ('"""Scales."""', 'b"""Scales."""'),
        ('"""Scales."""', "pass; '''Scales.'''"),
    ],
)
def test_what_runs_counts(digest, old, new):
    assert old in SOURCE
    assert digest(SOURCE.replace(old, new)) != digest(SOURCE)


def test_strings_that_are_no_docstrings_count(digest):
    assert digest('x = 1\n"one"\n') != digest('x = 1\n"two"\n')
    assert digest('if x:\n    "one"\n') != digest('if x:\n    "two"\n')


@pytest.mark.parametrize(
    "text", ["def (:  # one\n", "print 'one'\n", "x = '''\n# one", "x = 1 # one\0\n", "é".encode("latin-1")]
)
def test_what_is_no_python_counts_with_all_its_bytes(digest, text):
    other = text + (b"\n" if isinstance(text, bytes) else "\n")
    assert digest(text) != digest(other)
    assert digest(text) == digest(text)


def test_names_count_and_their_order_does_not(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(f"x = '{name}'\n")
    a, b = tmp_path / "a", tmp_path / "b"
    assert source_digest({"a": a, "b": b}) == source_digest({"b": b, "a": a})
    assert len({source_digest(each) for each in ({"a": a, "b": b}, {"a": b, "b": a}, {"a": a}, {"c": a}, {})}) == 5


def test_a_module_that_moves_code_to_another_is_other_code(tmp_path):
    (tmp_path / "a").write_text("x = 1\n")
    (tmp_path / "b").write_text("y = 2\n")
    apart = source_digest({"a": tmp_path / "a", "b": tmp_path / "b"})
    (tmp_path / "a").write_text("x = 1\ny = 2\n")
    (tmp_path / "b").write_text("")
    assert source_digest({"a": tmp_path / "a", "b": tmp_path / "b"}) != apart


def works(path):
    return subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0


OTHER = [
    path
    for version in ("3.11", "3.12", "3.13", "3.14")
    if version != f"{sys.version_info.major}.{sys.version_info.minor}"
    for path in [
        *filter(None, [shutil.which(f"python{version}")]),
        *map(str, sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))),
    ]
    if works(path)
]
# Without pydantic and whatever else another Python lacks.
PRINT = """
import sys, types
from pathlib import Path
for name, values in (("pydantic", {"JsonValue": object}), ("huse_bench", {"__path__": [sys.argv[1]]})):
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(values)
from huse_bench.fingerprint import source_digest
for path in sorted(Path(sys.argv[1]).rglob("*.py")):
    print(path.name, source_digest({"x": path}))
"""


@pytest.mark.skipif(not OTHER, reason="there is no other Python here")
@pytest.mark.parametrize("python", OTHER, ids=str)
def test_other_versions_of_python_give_the_same(python):
    root = Path(huse_bench.__file__).parent
    ask = subprocess.run(
        [python, "-c", PRINT, root], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": ""}
    )
    mine = [f"{path.name} {source_digest({'x': path})}" for path in sorted(root.rglob("*.py"))]
    assert ask.stdout.splitlines() == mine
    assert len(mine) > 100
