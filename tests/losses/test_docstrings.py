"""What a docstring says of a loss in a sentence, and of where its formula is from."""

import pytest

import huse_bench as hb
from huse_bench.components._docstring import LONGEST_SOURCE, LONGEST_SUMMARY, source_of, summary_of
from huse_bench.discovery import components

BUILT_IN = [each.name for each in components("loss") if each.distribution == "huse-bench"]


def documented(text):
    return type("Some", (), {"__doc__": text})


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("One sentence.", "One sentence."),
        ("No full stop\n\n    and more", "No full stop"),
        ("First, over\n    two lines. Second.\n\n    Third.", "First, over two lines."),
        ("As Frome et al. Do it, cf. Table 1 of vol. A. Next.", "As Frome et al. Do it, cf. Table 1 of vol. A. Next."),
        ("A margin of 0.5 e.g. Of cosines! Next.", "A margin of 0.5 e.g. Of cosines!"),
        ("As :class:`HIE`, :py:meth:`~a.b` and :func:`it <x.y>`.", "As HIE, a.b and it."),
        ("With ``code``, `more`, **strong** and 2*a*b.", "With code, more, strong and 2*a*b."),
        (
            "Of `a paper <https://a.org/x>`_ and [one](https://b.org).",
            "Of a paper (https://a.org/x) and one (https://b.org).",
        ),
        ("<b>Bold</b> & so on.", "<b>Bold</b> & so on."),
        ("", None),
        ("  \n ", None),
        (None, None),
    ],
)
def test_the_summary_is_the_first_sentence_as_plain_text(text, summary):
    assert summary_of(documented(text)) == summary


def test_what_is_inherited_says_nothing_of_a_class():
    class Heir(documented("Of the parent.\n\nSource: a paper.")):
        pass

    assert summary_of(Heir) is source_of(Heir) is None


@pytest.mark.parametrize(
    ("section", "source"),
    [
        ("Reference:\n        A paper,\n        equation 3.", "A paper, equation 3."),
        ("References:\n        One.\n\n        Two.\n\n    Example:\n        three", "One. Two."),
        ("Source: on its line,\n        and the next.\n    Note: not this.", "on its line, and the next."),
        ("Sources:\n        ``x``", "x"),
        ("Reference:", None),
        ("The reference: no section.", None),
        ("Args:\n        source: of what.", None),
    ],
)
def test_the_source_is_a_section_of_its_own(section, source):
    assert source_of(documented(f"What it is.\n\n    {section}\n    ")) == source


def test_what_is_long_is_cut_behind_a_word():
    loss = documented(f"{'word ' * 400}\n\nSource: {'name ' * 400}")
    summary, source = summary_of(loss), source_of(loss)
    assert summary == "word " * 59 + "word\N{HORIZONTAL ELLIPSIS}"
    assert len(summary) <= LONGEST_SUMMARY
    assert source.endswith("name\N{HORIZONTAL ELLIPSIS}")
    assert len(source) <= LONGEST_SOURCE
    assert len(summary_of(documented(1000 * "x"))) == LONGEST_SUMMARY


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_built_in_loss_says_what_it_is_and_names_its_paper(name):
    loss = hb.load("loss", name)
    assert summary_of(loss).endswith(".")
    assert any(year in source_of(loss) for year in map(str, range(2013, 2024)))
    assert not set("`\N{HORIZONTAL ELLIPSIS}") & set(summary_of(loss) + source_of(loss))
