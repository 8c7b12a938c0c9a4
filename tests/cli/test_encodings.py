"""Terminals whose encoding lacks signs of the output."""

import csv
import io
import json
import os
import subprocess
import sys

import pytest

from huse_bench.results import Store

# Greek, Chinese, accents, a sign of two UTF-16 units, and nothing but ASCII.
TITLES = ["λ → 0", "方法", "größer", "🙂 loss", "plain"]


def call(*arguments, cwd, encoding, **variables):
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"PYTHONIOENCODING": encoding} | variables,
        cwd=cwd,
        capture_output=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path, make_record):
    store = Store(tmp_path / "results" / "emoji", dataset="emoji")
    for number, title in enumerate(TITLES):
        changes = {"method__class_graph": "taxonomy"} if title == "plain" else {}
        # The first row saw fewer pairs, so that the others are marked.
        store.write(make_record(f"m{number}", method__title=title, training__items_seen=100 + number, **changes))
    return tmp_path


FORMATS = ("text", "markdown", "latex", "csv", "json")
ALL = """
from huse_bench.cli import main
for form in {}:
    print(main(["tables", "--format", form]), "=", sep="\\n")
"""


@pytest.mark.parametrize("encoding", ["cp437", "gbk", "cp1252", "ascii"])
def test_tables_in_any_encoding(folder, encoding):
    done = call("-c", ALL.format(FORMATS), cwd=folder, encoding=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    # Click takes ASCII for a terminal that was not asked, and writes UTF-8.
    encoding = encoding.replace("ascii", "utf-8")
    texts = [text.removesuffix("\n0\n") for text in done.stdout.decode(encoding).split("=\n")]
    assert len(texts) == len(FORMATS) + 1
    rows = list(csv.DictReader(io.StringIO(texts[3])))
    assert {row["title"] for row in rows} >= {title for title in TITLES if is_in(title, encoding)}
    assert len({row["title"] for row in rows}) == len(TITLES)
    assert {number["title"] for number in json.loads(texts[4])["numbers"]} == set(TITLES)


def is_in(text, encoding):
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def test_marks_are_replaced_one_for_one(folder):
    plain, whole = (
        call("-m", "huse_bench", "tables", cwd=folder, encoding=encoding).stdout.decode(encoding)
        for encoding in ("cp437", "utf-8")
    )
    (line,) = (line for line in whole.split("Table 2")[0].splitlines() if line.startswith("plain"))
    assert line.startswith("plain‡§ ")
    assert line.replace("‡", "#").replace("§", "$") in plain
    assert "$ is trained with the taxonomy that HP@K is measured against." in plain
    assert "\\u03bb \\u2192 0 " in plain


def test_errors_name_what_was_given(folder):
    done = call("-m", "huse_bench", "compare", "λ", "plain", cwd=folder, encoding="cp1252")
    assert done.returncode == 2
    assert "the results have no runs of '\\u03bb'" in done.stderr.decode("cp1252")


def test_a_training_ends_in_tables_and_files_are_utf_8(toy):
    (toy / "bench.toml").write_text(
        "[training]\nsteps = 20\nbatch_size = 32\nwidth = 16\nembedding_dim = 8\nwarmup_steps = 5\n"
        '[methods."λ"]\nbase = "gap"\ntitle = "größer λ 🙂"\n',
        encoding="utf-8",
    )
    # With the progress bars of a terminal.
    arguments = ("-m", "huse_bench", "run", "--dataset", "toy", "--config", "bench.toml")
    done = call(*arguments, cwd=toy, encoding="cp437", LC_ALL="C", FORCE_COLOR="1")
    assert done.returncode == 0, done.stderr.decode("cp437")
    assert b"Traceback" not in done.stderr
    (record,) = (toy / "results" / "toy" / "runs").glob("*.json")
    assert json.loads(record.read_bytes().decode("utf-8"))["method"]["title"] == "größer λ 🙂"
