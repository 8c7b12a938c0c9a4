"""What TeX itself makes of the tables: pages without an error, and without a line that leaves them."""

import re
import shutil
import subprocess

import pytest

from huse_bench.report import render
from huse_bench.report.latex_signs import ESCAPES, KNOWN, escaped
from huse_bench.results import Results, load_results

PACKAGES = ("booktabs.sty", "arydshln.sty", "adjustbox.sty")


def _missing():
    if shutil.which("pdflatex") is None:
        return "there is no pdflatex; Debian has it in texlive-latex-base"
    found = subprocess.run(["kpsewhich", *PACKAGES], capture_output=True, text=True, check=False).stdout
    lacking = [name for name in PACKAGES if name not in found]
    return f"this TeX has no {', '.join(lacking)}; Debian has them in texlive-latex-extra" if lacking else ""


needs_tex = pytest.mark.skipif(bool(_missing()), reason=_missing())

HOSTILE = (
    r"[50% & #1_$\x{~}^",
    r"*\input{/etc/passwd}",
    "a|b `c` --d --- <e> \"f\" 'g'",
    "\\",
    "%",
    "λ → \N{GREEK SMALL LETTER ALPHA}-größer “‡” ½ «x»",
    "o\u0308 \u202egnihtemos\u202c \u200f",
    "Ωmega 3\N{MULTIPLICATION SIGN}, 5 ≤ 6 ≈ 7",
    "a very long name of a method " * 6,
)


def compiled(folder, body, options="twocolumn"):
    """The text of the pages, after TeX met neither an error nor a line or a page that was too long."""
    document = rf"""\documentclass[{options}]{{article}}
\usepackage{{booktabs}}\usepackage{{arydshln}}\usepackage{{adjustbox}}
\begin{{document}}
{body}
\end{{document}}
"""
    (folder / "page.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "page.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    log = done.stdout.decode(errors="replace")
    assert done.returncode == 0, log[-2000:]
    assert not re.findall(r"Overfull .*|.*Float too large.*", log)
    pdf = (folder / "page.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    if shutil.which("pdftotext") is None:
        return None
    text = subprocess.run(["pdftotext", "-layout", "page.pdf", "-"], cwd=folder, capture_output=True, check=True)
    return text.stdout.decode()


@needs_tex
@pytest.mark.parametrize("options", ["twocolumn", "onecolumn", "onecolumn,12pt"])
def test_tables_fit_their_pages(tmp_path, write_run, options):
    for seed in range(2):
        write_run("huse", seed, 0.6, method__title="HUSE")
        write_run("cme", seed, 0.4, method__title="Class-guided metric embedding")
        for number in range(16):
            write_run(f"other{number}", seed, 0.5, method__section="Beyond the paper")
    text = compiled(tmp_path, render(load_results(tmp_path), "latex", True, footnote=True), options)
    if text is not None:
        assert set(re.findall(r"(?:^|\f|\n) *Table ([123]):", text)) == set("123")
        assert "Class-guided metric embedding" in text
        assert "Results: " in text


@needs_tex
def test_hostile_titles_are_shown_and_do_nothing(tmp_path, make_record):
    titles = [*HOSTILE, *("plain", "other")]
    records = [
        make_record(f"m{i}", seed, method__title=title, dataset__title="100% _data_ {of} #1 \\today")
        for seed in range(2)
        for i, title in enumerate(titles)
    ]
    source = render(Results(records), "latex")
    assert "lualatex" not in source
    text = compiled(tmp_path, source, "onecolumn")
    if text is not None:
        # These fonts draw an underscore as a line, which is no text.
        assert "100% data {of} #1 \\today" in text
        assert r"*\input{/etc/passwd}" in text
        assert r"[50% & #1 $\x{" in text
        assert "root:" not in text


@needs_tex
def test_pdflatex_knows_the_signs_that_it_is_said_to_know(tmp_path):
    signs = sorted(sign for sign in {*KNOWN, *ESCAPES} if sign.isprintable() and not sign.isspace())
    assert len(signs) > 300
    text = compiled(tmp_path, "\n".join(escaped(sign) for sign in signs))
    if text is not None:
        assert {"—", "λ", "∞", "ß"} <= set(text)


def test_tables_name_their_results(make_record):
    one, other = (Results([make_record(seed=seed) for seed in seeds]) for seeds in ((0, 1), (0, 2)))
    named = re.findall(r"^% huse-bench results ([0-9a-f]{12})$", render(one, "latex"), re.MULTILINE)
    assert (len(named), len(set(named))) == (3, 1)
    assert named[0] not in render(other, "latex")
    # The order of the records is none of the results'.
    assert named[0] in render(Results(list(reversed(one.records))), "latex")
    assert "Results:" not in render(one, "latex")
    assert render(one, "latex", footnote=True).count(rf"Results: \texttt{{{named[0]}}}") == 3


def test_marks_of_printed_numbers_do_not_move_them(make_record):
    assert r" & 0.031\rlap{$^\dagger$} & " in render(Results([make_record()]), "latex", True, ["table2"])


def test_no_direction_can_be_turned(make_record):
    latex = render(Results([make_record(method__title="a\u202eb\u2066c\u200f")]), "latex")
    assert "abc & " in latex
