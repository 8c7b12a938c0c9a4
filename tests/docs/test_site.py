"""The site is made without a warning, its links lead somewhere, and what is made from the code is there."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from huse_bench import load
from huse_bench.cli import cli

for package in ("sphinx", "myst_parser", "furo", "sphinx_copybutton"):
    pytest.importorskip(package, reason="the site is made with the extra docs: pip install -e '.[docs]'")

ROOT = Path(__file__).parents[2]


class Links(HTMLParser):
    """What a page links to and takes, and the places in it that can be linked to."""

    def __init__(self, page):
        super().__init__()
        self.targets, self.places, self.text = set(), set(), ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):  # noqa: ARG002  what the parser calls
        attrs = dict(attrs)
        self.places.add(attrs.get("id"))
        # The address that a search engine is to keep is no link.
        if attrs.get("rel") != "canonical":
            self.targets |= {attrs[name] for name in ("href", "src") if name in attrs}

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = ["sphinx", "--fail-on-warning", "--nitpicky", "--keep-going", "-q", "-c", "docs", "-d", folder / "trees"]
    done = subprocess.run(
        [sys.executable, "-m", *command, ".", folder / "html"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site):
    return {path.resolve(): Links(path) for path in site.rglob("*.html")}


def test_its_links_lead_somewhere(site, pages):
    lost = []
    for path, page in pages.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert file.is_relative_to(site.resolve())
            if not file.is_file() or (parts.fragment and file in pages and parts.fragment not in pages[file].places):
                lost.append((path.relative_to(site.resolve()).as_posix(), target))
    assert lost == []


def test_it_takes_nothing_from_elsewhere(site):
    loaded = re.compile(r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>")
    for path in site.rglob("*.html"):
        assert loaded.findall(path.read_text(encoding="utf-8")) == []


def test_every_page_of_the_documentation_is_in_it(site):
    for page in (ROOT / "docs").rglob("*.md"):
        assert (site / page.relative_to(ROOT)).with_suffix(".html").exists()


def test_a_command_is_described_with_its_options(pages, site):
    text = pages[(site / "docs" / "command-line.html").resolve()].text
    context = cli.make_context("huse-bench", ["tables"], resilient_parsing=True)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert f"huse-bench {name}" in text
        for parameter in command.params:
            if parameter.param_type_name == "option" and not parameter.hidden:
                assert parameter.opts[0] in text


def test_a_method_is_described_by_what_its_class_declares(pages, site):
    text = pages[(site / "docs" / "methods" / "huse.html").resolve()].text
    for name in load("loss", "huse").space:
        assert f"\n{name}\n" in re.sub(r"[ \n]*\n[ \n]*", "\n", text)
    assert "0.01 to 1000, logarithmic" in text
    assert "zeta of equation 10" in text


def test_its_first_page_leads_to_the_documentation(site):
    assert 'url=docs/index.html"' in (site / "index.html").read_text(encoding="utf-8")
