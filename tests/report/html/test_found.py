"""The gallery and the comparison of two methods: their data against numpy, and both in a browser."""

import base64
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

import huse_bench.report.html
from huse_bench.report.html import found, gallery, versus
from huse_bench.results import DIRECTIONS, Store, load_results
from huse_bench.results.card import make_card
from huse_bench.results.comparison import compare

jinja2 = pytest.importorskip("jinja2", reason="jinja2 is not installed")

ITEMS, CLASSES, K = 96, 12, 10
LABELS = np.arange(ITEMS) % CLASSES
GROUPS = np.arange(ITEMS) // 2
# Two sides of six classes: of each class the five others of its side are near.
EDGES = [("all", "left"), ("all", "right"), *(("left" if n < 6 else "right", f"c{n}") for n in range(CLASSES))]
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
IDS = [f"toy/{number}" for number in range(ITEMS)]

# What strangers may write.
NASTY = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "\u202eevil\u2066",
    "{{ 7 * 7 }} & <b>bold</b> \"quoted\" 'too'",
    "\u2028 line \u2029 end <!-- -->",
    "مرحبا",
]


def ranking(rng, chance):
    """(queries, 50) classes-wise plausible rankings without the query itself."""
    scores = rng.random((ITEMS, ITEMS)) + chance * (LABELS[:, None] == LABELS) * rng.random((ITEMS, 1))
    np.fill_diagonal(scores, -1)
    return np.argsort(-scores, axis=1)[:, :50]


def write(folder, make_record, name, seed, chance, **changes):
    rng = np.random.default_rng([seed, *name.encode()])
    ranked = {direction: ranking(rng, chance) for direction in DIRECTIONS}
    per_query, retrieval = {}, {}
    near = (LABELS[:, None] < 6) == (LABELS < 6)
    for direction, order in ranked.items():
        same = LABELS[order] == LABELS[:, None]
        correct = np.take_along_axis(near, order, axis=1)
        per_query[direction] = {"first_hit": np.where(same.any(1), same.argmax(1) + 1, 0)}
        per_query[direction] |= {f"hits@{k}": same[:, :k].sum(1) for k in (1, 2, 5, 10)}
        per_query[direction] |= {f"hp@{k}": correct[:, :k].sum(1) for k in (2, 5, 10)}
        retrieval[direction] = {f"R@{k}": float(same[:, :k].any(1).mean()) for k in (1, 2, 5, 10)}
        retrieval[direction] |= {f"HP@{k}": float(correct[:, :k].mean()) for k in (2, 5, 10)}
    sizes = {"train": 600, "validation": 90, "test": ITEMS}
    record = make_record(
        name, seed, retrieval=retrieval, accuracies=None, dataset__items=sizes, dataset__classes=CLASSES, **changes
    )
    neighbours = {direction: order[:, :K] for direction, order in ranked.items()} if seed == 0 else None
    store = Store(folder, dataset="emoji")
    predictions = {"label": LABELS, "group": GROUPS}
    return store.write(record, per_query, predictions, neighbours=neighbours)


def write_card(folder, record, **changes):
    fields = {
        "class_names": [f"c{number}" for number in range(CLASSES)],
        "edges": EDGES,
        "distances": np.ones((CLASSES, CLASSES)),
        "ids": IDS,
        "labels": LABELS,
        "groups": GROUPS,
        "thumbnails": dict.fromkeys(IDS, PNG),
    }
    Store(folder).write_card(make_card(record.dataset, **{**fields, **changes}))


@pytest.fixture
def folder(tmp_path, make_record):
    """Three methods of three seeds, with neighbours of the first, thumbnails and no texts."""
    place = tmp_path / "results"
    for name, chance in (("cme", 0.1), ("huse", 0.6), ("devise", 0.3)):
        for seed in range(3):
            record = write(place, make_record, name, seed, chance)
    write_card(place, record)
    return place


def data_of(module, folder):
    (section,) = module.sections(load_results(folder))
    return json.loads(json.dumps(section.data))


def arrays_of(folder, label):
    results = load_results(folder)
    row = next(row for row in results.rows if row.label == label)
    return results, row, Store(folder)


TEMPLATES = Path(huse_bench.report.html.__file__).parent / "templates"

SHARED = """
const hbPage = {each(name, start) {
  for (const element of document.querySelectorAll(`section[data-section="${name}"]`)) {
    const data = element.querySelector(':scope > script[type="application/json"]');
    start(element, data === null ? null : JSON.parse(data.textContent));
  }
}};
"""

BASE = """
:root { --ink: #1b1f24; --paper: #fff; --quiet: #57606a; --line: #d4d9df; --soft: #f4f6f8; font: 16px/1.5 sans-serif; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --paper: #15181c; --quiet: #a5aeb9; --line: #3a414a; --soft: #1e2329; color-scheme: dark; }
}
*, ::before, ::after { box-sizing: border-box; }
body { margin: 0 auto; max-width: 84rem; padding: 1rem; background: var(--paper); color: var(--ink); }
[hidden] { display: none !important; }
.quiet { color: var(--quiet); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
button, select { font: inherit; color: inherit; background: var(--soft); border: 1px solid; min-height: 2rem; }
"""


def page_of(sections) -> str:
    """HTML under the policy of a report."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    scripts = [SHARED, *_sources(section.script for section in sections)]
    styles = [BASE, *_sources(section.style for section in sections)]
    policy = (
        f"default-src 'none'; script-src {_hashes(scripts)}; style-src {_hashes(styles)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = []
    for section in sections:
        place = f"f1-{section.name}"
        markup = environment.get_template(section.template).render({**section.context, "id": place})
        data = "" if section.data is None else f'<script type="application/json">{embedded(section.data)}</script>'
        parts.append(
            f'<section id="{place}" data-section="{section.name}" aria-labelledby="{place}-title">'
            f'<h2 id="{place}-title">{section.title}</h2>{markup}{data}</section>'
        )
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>Sections</title>'
        f"{''.join(f'<style>{style}</style>' for style in styles)}</head>"
        f"<body><main><h1>Sections</h1><article>{''.join(parts)}</article></main>"
        f"{''.join(f'<script>{script}</script>' for script in scripts)}</body></html>"
    )


def embedded(data) -> str:
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return "".join(f"\\u{ord(sign):04x}" if sign in "<>&\u2028\u2029" else sign for sign in text)


def _sources(names) -> list[str]:
    return [(TEMPLATES / name).read_text(encoding="utf-8") for name in dict.fromkeys(names) if name]


def _hashes(texts) -> str:
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts)


def test_the_gallery_has_what_was_kept(folder):
    data = data_of(gallery, folder)
    assert sorted(data["queries"]) == list(range(ITEMS))
    for method, label in enumerate(data["methods"]):
        _, row, store = arrays_of(folder, label)
        kept = store.neighbours(row.records[0])
        for number, query in enumerate(data["queries"]):
            expected = [kept.found[direction][query].tolist() for direction in DIRECTIONS]
            assert data["found"][number][method] == expected
    assert data["items"] == {str(item): [IDS[item], int(LABELS[item])] for item in range(ITEMS)}
    assert {base64.b64decode(text) for text in data["thumbnails"].values()} == {PNG}
    assert len(data["thumbnails"]) == ITEMS
    sides = [set(range(6)), set(range(6, 12))]
    assert data["near"] == {str(label): sorted(sides[label // 6] - {label}) for label in range(CLASSES)}


def test_queries_are_taken_of_each_class_in_turn_and_the_same_each_time():
    order = found.choice(np.arange(ITEMS, dtype=np.int32), LABELS)
    assert sorted(order) == list(range(ITEMS))
    for turn in range(ITEMS // CLASSES):
        assert sorted(LABELS[order[turn * CLASSES : (turn + 1) * CLASSES]]) == list(range(CLASSES))
    assert order == found.choice(np.arange(ITEMS, dtype=np.int32), LABELS)
    # No class is there in the order of its items.
    assert [query for query in order if LABELS[query] == 0] != list(range(0, ITEMS, CLASSES))


def test_near_classes_are_those_of_the_correct_set(folder):
    card = Store(folder).card()
    edges = [("all", "pets"), ("all", "wild"), ("pets", "c0"), ("pets", "c1"), ("wild", "deep"), ("deep", "deeper")]
    edges += [("deeper", f"c{number}") for number in (2, 3, 4, 5)]
    names = tuple(f"c{number}" for number in range(6))
    facts = card.facts.model_copy(update={"edges": tuple(edges), "class_names": names})
    # Of c2: its three siblings are two edges away, and the fifth nearest, c0 and c1, six; of these both count.
    near = found.near_classes(found.DataCard(facts, card.ids, card.labels, card.groups), range(6))
    assert near[2] == [0, 1, 3, 4, 5]
    far = facts.model_copy(update={"edges": (*edges, ("deeper", "c6")), "class_names": (*names, "c6")})
    near = found.near_classes(found.DataCard(far, card.ids, card.labels, card.groups), range(7))
    assert near[2] == [3, 4, 5, 6]
    assert near[0] == [1, 2, 3, 4, 5, 6]
    broken = facts.model_copy(update={"edges": (("a", "b"), ("b", "a"))})
    assert found.near_classes(found.DataCard(broken, card.ids, card.labels, card.groups), [0]) is None


def test_differences_are_those_of_compare(folder):
    """All pairs share one bootstrap, and compare makes one for each column."""
    data = data_of(versus, folder)
    columns = [(task, metric) for task, metric in data["columns"]]
    for pair, entry in data["pairs"].items():
        first, second = (data["methods"][int(place)] for place in pair.split("-"))
        expected = compare(load_results(folder), first, second)
        assert data["seeds"][entry["seeds"]] == [0, 1, 2]
        assert len(entry["columns"]) == len(expected.differences) == 24
        for (place, one, other, low, high, won, lost), difference in zip(
            entry["columns"], expected.differences, strict=True
        ):
            assert columns[place][1] == difference.metric
            numbers = np.array([one, other, low, high, won, lost]) / data["unit"]
            wanted = [getattr(difference, name) for name in ("first", "second", "low", "high", "won", "lost")]
            np.testing.assert_allclose(numbers, wanted, atol=0.51 / data["unit"])


def test_classes_are_won_by_the_mean_of_their_queries(folder):
    data = data_of(versus, folder)
    assert data["sizes"] == [ITEMS // CLASSES] * CLASSES
    for method, label in enumerate(data["methods"]):
        _, row, store = arrays_of(folder, label)
        for place, direction in enumerate(DIRECTIONS):
            hits = np.mean([store.per_query(record)[direction]["first_hit"] == 1 for record in row.records], axis=0)
            expected = [hits[label == LABELS].mean() for label in range(CLASSES)]
            np.testing.assert_allclose(
                np.array(data["rates"][0][method][place]) / data["unit"], expected, atol=0.51 / data["unit"]
            )


def test_the_queries_that_differ_most_are_found(folder):
    data = data_of(versus, folder)
    for key, entries in data["differing"].items():
        first, second, direction = key.split("-")
        ranks = []
        for place in (first, second):
            _, row, store = arrays_of(folder, data["methods"][int(place)])
            ranks.append(store.per_query(row.records[0])[direction]["first_hit"])
            kept = store.neighbours(row.records[0])
            for query, *_ in entries:
                assert (
                    data["lists"][f"{place}-{DIRECTIONS.index(direction)}-{query}"]
                    == kept.found[direction][query].tolist()
                )
        gain = np.divide(1, ranks[0], where=ranks[0] > 0, out=np.zeros(ITEMS))
        gain -= np.divide(1, ranks[1], where=ranks[1] > 0, out=np.zeros(ITEMS))
        for sign in (1, -1):
            shown = [entry for entry in entries if sign * gain[entry[0]] > 0]
            assert [entry[1:] for entry in shown] == [[int(rank[entry[0]]) for rank in ranks] for entry in shown]
            best = sorted((np.max(sign * gain[group == GROUPS]) for group in np.unique(GROUPS)), reverse=True)
            np.testing.assert_allclose(
                [sign * gain[entry[0]] for entry in shown], [value for value in best[:3] if value > 0]
            )
            assert len({GROUPS[entry[0]] for entry in shown}) == len(shown)
        assert set(map(str, (entry[0] for entry in entries))) <= data["items"].keys()


def test_one_seed_has_no_interval_and_other_seeds_no_pair(tmp_path, make_record):
    place = tmp_path / "results"
    for name, seeds in (("cme", [0]), ("huse", [0, 1]), ("devise", [1, 2])):
        for seed in seeds:
            record = write(place, make_record, name, seed, 0.7)
    write_card(place, record)
    data = data_of(versus, place)
    names = [label.lower() for label in data["methods"]]
    pairs = {frozenset(names[int(n)] for n in pair.split("-")): entry for pair, entry in data["pairs"].items()}
    assert set(pairs) == {frozenset({"cme", "huse"}), frozenset({"huse", "devise"})}
    assert data["seeds"][pairs[frozenset({"cme", "huse"})]["seeds"]] == [0]
    assert data["seeds"][pairs[frozenset({"huse", "devise"})]["seeds"]] == [1]
    assert all(column[3] is column[4] is None for entry in pairs.values() for column in entry["columns"])
    # Neighbours were kept of seed 0, and the second pair shares seed 1: it shows none rather than those of another run.
    both = [key for key in data["differing"] if {names[int(n)] for n in key.split("-")[:2]} == {"huse", "devise"}]
    queries = {
        f"{n}-{DIRECTIONS.index(key[-3:])}-{q}"
        for key in both
        for n in key.split("-")[:2]
        for q, *_ in data["differing"][key]
    }
    of_first = {
        f"{n}-{DIRECTIONS.index(key[-3:])}-{q}"
        for key in data["differing"]
        if key not in both
        for n in key.split("-")[:2]
        for q, *_ in data["differing"][key]
    }
    assert data["lists"].keys() <= of_first
    assert queries


@pytest.mark.parametrize("lacks", ["neighbours", "card", "scores"])
def test_what_is_missing_is_said(folder, lacks):
    if lacks == "card":
        (folder / "data-card.json").unlink()
    for path in (folder / "runs").glob("*.json"):
        record = json.loads(path.read_text())
        if lacks == "neighbours":
            record["neighbours"] = record["neighbours_sha256"] = None
        if lacks == "scores":
            record["per_query"] = record["per_query_sha256"] = record["neighbours"] = record["neighbours_sha256"] = None
        path.write_text(json.dumps(record))
    (section,) = gallery.sections(load_results(folder))
    assert section.data is None
    page = page_of([section, *versus.sections(load_results(folder))])
    assert ("no data card" if lacks == "card" else "no run has kept") in page
    assert len(versus.sections(load_results(folder))) == (0 if lacks == "scores" else 1)


def test_a_damaged_card_and_that_of_other_data_leave_out_what_needs_it(folder):
    path = folder / "data-card.thumbnails.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    _assert_without_card(folder, "data-card.thumbnails.parquet is not the file")
    path.write_bytes(whole)
    facts = json.loads((folder / "data-card.json").read_text())
    facts["dataset"]["content_hash"] = "0" * 64
    (folder / "data-card.json").write_text(json.dumps(facts))
    _assert_without_card(folder, "of other data than the runs")


def _assert_without_card(folder, reason):
    (shown,) = gallery.sections(load_results(folder))
    assert shown.data is None
    assert reason in page_of([shown])
    (compared,) = versus.sections(load_results(folder))
    assert (compared.data["items"], compared.data["classes"]) == ({}, [])
    assert "There is no gallery" not in page_of([compared])
    assert reason in page_of([compared])
    assert len(compared.data["pairs"]) == 3


def test_a_page_has_room_for_so_much(folder, monkeypatch):
    monkeypatch.setattr(gallery, "_MOST_BYTES", 20_000)
    monkeypatch.setattr(gallery, "_MOST_PICTURES", 1_000)
    (section,) = gallery.sections(load_results(folder))
    whole = json.dumps({name: section.data[name] for name in ("queries", "found", "items")}, separators=(",", ":"))
    assert 15_000 < len(whole) < 21_000
    assert 0 < len(section.data["thumbnails"]) < 10
    assert section.data["queries"] == found.choice(np.arange(ITEMS, dtype=np.int32), LABELS)[: section.context["shown"]]
    page = page_of([section])
    assert f"has room for {section.context['shown']} of the {ITEMS} test items" in page
    assert "Where there is no room for a thumbnail" in page
    monkeypatch.setattr(found, "MOST_METHODS", 2)
    assert len(data_of(versus, folder)["methods"]) == 2
    assert "1 more is not here" in page_of(versus.sections(load_results(folder)))


def test_of_a_sample_of_queries_only_these_are_asked_for(folder, monkeypatch):
    real = Store.neighbours

    def some(self, record):
        kept = real(self, record)
        return kept and type(kept)(kept.queries[::7], {name: rows[::7] for name, rows in kept.found.items()})

    monkeypatch.setattr(Store, "neighbours", some)
    data = data_of(gallery, folder)
    assert sorted(data["queries"]) == list(range(0, ITEMS, 7))
    lists = data_of(versus, folder)["lists"]
    assert {int(key.split("-")[2]) % 7 for key in lists} <= {0}


# In a browser


@pytest.fixture
def show(chromium, tmp_path):
    """Opens sections; at the end nothing was said on the console, and no dialog opened."""
    said, pages = [], []

    def open_page(sections, width=1280):
        path = tmp_path / "page.html"
        path.write_text(page_of(sections), encoding="utf-8")
        page = chromium.new_page(viewport={"width": width, "height": 900})
        # A busy machine is no fault of the page.
        page.set_default_timeout(180_000)
        pages.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on(
            "request", lambda request: said.append(request.url) if not re.match("file:|data:", request.url) else None
        )
        page.goto(path.as_uri())
        return page

    yield open_page
    for page in pages:
        page.close()
    assert said == []


def both(folder):
    results = load_results(folder)
    return [*versus.sections(results), *gallery.sections(results)]


def choose(page, section, **values):
    for name, value in values.items():
        page.locator(f'[data-section="{section}"] [data-control="{name}"]').select_option(label=value)


def test_the_gallery_draws_what_is_chosen(folder, show):
    page = show(both(folder))
    part = page.locator('[data-section="gallery"]')
    data = data_of(gallery, folder)
    # The best method is there first.
    assert part.locator('[data-control="method"] option:checked').inner_text() == "HUSE"
    assert part.locator("[data-status]").inner_text() == "Queries 1 to 6 of 96, by HUSE"
    choose(page, "gallery", method="CME", direction="Text to Image")
    method = data["methods"].index("CME")
    cards = part.locator("article.found-query")
    assert cards.count() == 6
    seen = set()
    for number in range(6):
        query = data["queries"][number]
        assert cards.nth(number).locator("h3").inner_text() == IDS[query]
        entries = cards.nth(number).locator("li")
        expected = data["found"][number][method][DIRECTIONS.index("t2i")]
        assert [entries.nth(at).locator("img").get_attribute("alt") for at in range(K)] == [
            IDS[item] for item in expected
        ]
        marks = [entries.nth(at).locator(".found-spoken").inner_text() for at in range(K)]
        near = ["near:" if LABELS[item] // 6 == LABELS[query] // 6 else "wrong:" for item in expected]
        assert marks == [
            "right:" if LABELS[item] == LABELS[query] else mark for item, mark in zip(expected, near, strict=True)
        ]
        seen |= set(marks)
        signs = [entries.nth(at).locator(".found-sign").inner_text() for at in range(K)]
        assert signs == [{"right:": "✓", "near:": "≈", "wrong:": "✗"}[mark] for mark in marks]
    assert seen == {"right:", "near:", "wrong:"}
    assert part.locator("img").first.evaluate("image => image.complete && image.naturalWidth") == 1
    # The same queries under another method, and on.
    part.locator('[data-step="1"]').first.press("Enter")
    assert part.locator("[data-status]").inner_text() == "Queries 7 to 12 of 96, by CME"
    choose(page, "gallery", method="DEVISE")
    assert part.locator("[data-status]").inner_text() == "Queries 7 to 12 of 96, by DEVISE"


@pytest.mark.parametrize(("outcome", "hit"), [("the right class", True), ("another class", False)])
def test_the_gallery_is_filtered_by_class_and_outcome(folder, show, outcome, hit):
    page = show(both(folder))
    choose(page, "gallery", method="CME", direction="Image to Text", outcome=outcome, **{"class": "c4"})
    _, row, store = arrays_of(folder, "CME")
    ranks = store.per_query(row.records[0])["i2t"]["first_hit"]
    expected = {IDS[query] for query in range(ITEMS) if LABELS[query] == 4 and (ranks[query] == 1) == hit}
    seen = set()
    part = page.locator('[data-section="gallery"]')
    for _ in range(10):
        seen |= set(part.locator("h3").all_inner_texts())
        button = part.locator('[data-step="1"]').first
        if button.get_attribute("aria-disabled") == "true":
            break
        button.click()
    assert seen == expected
    said = part.locator("[data-status]").inner_text()
    assert (f"of {len(expected)}, by CME" if expected else "No query is so") in said


def test_two_methods_are_compared_as_chosen(folder, show):
    page = show(both(folder))
    part = page.locator('[data-section="versus"]')
    choose(page, "versus", first="HUSE", second="CME", direction="Text to Text")

    def rows():
        return [row.split("\t") for row in part.locator("tbody tr:has(td)").all_inner_texts()]

    expected = compare(load_results(folder), "huse", "cme")
    shown = rows()
    assert len(shown) == len(expected.differences)
    for cells, difference in zip(shown, expected.differences, strict=True):
        assert cells[0] == difference.metric
        numbers = [float(text) for text in re.findall(r"[+-]?\d+\.\d", "\t".join(cells[1:]).replace("\u2212", "-"))]
        shares = ("difference", "low", "high", "first", "second", "won", "lost")
        np.testing.assert_allclose(numbers, [100 * getattr(difference, name) for name in shares], atol=0.0602)
    first = part.locator(".found-query h4").all_inner_texts()
    part.locator("[data-swap]").click()
    swapped = rows()
    turned = str.maketrans("+\u2212", "\u2212+")
    assert [cells[1] for cells in swapped] == [cells[1].translate(turned) for cells in shown]
    assert sorted(part.locator(".found-query h4").all_inner_texts()) == sorted(first)
    # Those that A ranks better come first.
    assert "first right item at rank 1" in part.locator(".found-query").first.locator("h5").first.inner_text()
    assert part.locator(".found-query img").first.evaluate("image => image.complete && image.naturalWidth") == 1
    # By class: the differences sum up to that of the whole, as all classes have as many queries.
    text = part.locator("[data-classes-summary]").inner_text()
    assert sum(map(int, re.findall(r"\d+", text))) == CLASSES
    choose(page, "versus", first="HUSE")
    assert "the same method" in part.locator("[data-summary]").inner_text()
    assert not part.locator("table").is_visible()


@pytest.mark.parametrize("width", [360, 1280])
def test_what_strangers_write_is_text_and_no_more(tmp_path, make_record, show, width):
    place = tmp_path / "results"
    for name, chance in (("cme", 0.1), ("huse", 0.6)):
        record = write(place, make_record, name, 0, chance, method__title=NASTY[1 if name == "cme" else 3])
    write_card(
        place,
        record,
        class_names=[*NASTY, *(f"c{number}" for number in range(6))],
        edges=[("root", name) for name in [*NASTY, *(f"c{number}" for number in range(6))]],
        ids=[f"{NASTY[number % 6]} {number}" for number in range(ITEMS)],
        texts=[NASTY[(number + 1) % 6] * 9 for number in range(ITEMS)],
        thumbnails=None,
        licence=NASTY[0],
    )
    page = show(both(place), width)
    part = page.locator('[data-section="gallery"]')
    assert part.locator(".found-query h3 bdi").count() == 6
    assert page.locator("main script:not([type='application/json'])").count() == 0
    assert page.locator("b, img[src=x]").count() == 0
    heading = part.locator(".found-query h3").first.inner_text()
    assert any(" ".join(heading.split()).startswith(" ".join(text.split())[:5]) for text in NASTY)
    # Nothing but the table scrolls sideways.
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_all_can_be_used_by_keyboard_and_has_a_name(folder, show):
    page = show(both(folder), 360)
    controls = page.locator("select, button")
    for number in range(controls.count()):
        name = controls.nth(number).evaluate("e => (e.labels?.[0] ?? e).firstChild.textContent.trim()")
        assert name
    page.locator('[data-section="versus"] [data-control="first"]').focus()
    reached = []
    for _ in range(12):
        reached.append(page.evaluate("document.activeElement.dataset.control ?? document.activeElement.className"))
        page.keyboard.press("Tab")
    assert [
        name for name in reached if name in {"first", "second", "direction", "method", "class", "outcome", "scroll"}
    ] == [
        "first",
        "second",
        "scroll",
        "direction",
        "method",
        "direction",
        "class",
        "outcome",
    ]
