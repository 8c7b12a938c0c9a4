"""The figures of a report page, rendered from their template."""

from pathlib import Path

import pytest

from huse_bench.report import html
from huse_bench.report.html.figures import sections
from huse_bench.results import load_results

jinja2 = pytest.importorskip("jinja2")
TEMPLATES = Path(html.__file__).parent / "templates"


def rendered(section):
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(section.template).render({**section.context, "id": "f1-figures"})


def test_a_page_shows_figures_and_says_which_there_are_not(write_run, tmp_path):
    for seed in (0, 1):
        write_run("huse", seed, 0.5, method__title="<b>HUSE</b> & co")
    (section,) = sections(load_results(tmp_path))
    assert (section.name, section.template, section.style) == ("figures", "figures.html", "figures.css")
    markup = rendered(section)
    assert '<figure id="f1-figures-figure-forest-recall">' in markup
    assert 'aria-labelledby="f1-figures-forest-recall-title f1-figures-forest-recall-desc"' in markup
    assert "R@K over K: the records have no curves" in markup
    assert "<b>" not in markup
    assert "&lt;b&gt;HUSE" in markup
    assert " style=" not in markup
    assert (TEMPLATES / section.style).is_file()


def test_every_colour_of_a_drawing_is_in_the_style_sheet():
    sheet = (TEMPLATES / "figures.css").read_text()
    # On paper, on dark screens and in print.
    assert all(sheet.count(f"--hue-{number}:") == 3 for number in range(8))
