"""What a bundle may not say: each lie is found, and told where it is."""

import hashlib
import json
import shutil
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from huse_bench import evaluation
from huse_bench.bundles import read_bundle
from huse_bench.bundles.checks import check_bundle
from huse_bench.bundles.publishing import publish
from huse_bench.bundles.verifying import sign_off
from huse_bench.results.protocols import KNOWN_PROTOCOLS, unknown_protocol


@pytest.fixture
def bundle(folder, tmp_path):
    publish([folder], tmp_path / "bundle", authors=["A. One"])
    return tmp_path / "bundle"


def failed(bundle):
    return {check.name: check.detail for check in check_bundle(read_bundle(bundle)) if check.passed is False}


def record_of(bundle, run="huse-s0"):
    return next((bundle / "results" / "emoji" / "runs").glob(f"{run}-*.json"))


def changed(path, **changes):
    """Change fields of a record, with ``__`` between the levels, and say its files' hashes as a forger would."""
    fields = json.loads(path.read_text())
    for place, value in changes.items():
        *parents, last = place.split("__")
        part = fields
        for parent in parents:
            part = part[parent]
        part[last] = value
    for name in ("per_query", "predictions", "neighbours"):
        if fields[name] is not None:
            fields[f"{name}_sha256"] = hashlib.sha256(path.with_name(fields[name]).read_bytes()).hexdigest()
    path.write_text(json.dumps(fields))


def change_scores(path, column, change):
    """Change a column of the per-query scores of i2t."""
    file = path.with_name(json.loads(path.read_text())["per_query"])
    table = pq.read_table(file)
    values = table[column].to_numpy().copy()
    rows = np.asarray(table["direction"].to_pylist()) == "i2t"
    values[rows] = change(values[rows])
    place = table.column_names.index(column)
    pq.write_table(table.set_column(place, column, pa.array(values)), file)


def test_a_bundle_as_published_passes_all(bundle):
    assert failed(bundle) == {}


def test_known_protocols_are_those_of_evaluation():
    assert KNOWN_PROTOCOLS["recall"] == set(evaluation.RECALL_PROTOCOL.values())
    assert KNOWN_PROTOCOLS["hp"] == {*evaluation.HP_PROTOCOL.values(), *evaluation.UNSEEN_HP_PROTOCOL.values()}
    assert KNOWN_PROTOCOLS["bhp"] == {evaluation.BHP_PROTOCOL}
    assert evaluation.CLASSIFICATION_PROTOCOL in KNOWN_PROTOCOLS["classification"]
    known = {name: max(ids) for name, ids in KNOWN_PROTOCOLS.items()}
    assert unknown_protocol({**known, "bhp": "none: no tree"}) is None
    assert unknown_protocol({**known, "bhp": "mine/v1"}) == "bhp: 'mine/v1'"
    assert unknown_protocol({}) == "recall: None"


def test_a_number_that_was_raised(bundle, forge):
    numbers = json.loads(record_of(bundle).read_text())["retrieval"]["i2t"]
    changed(record_of(bundle), retrieval__i2t={**numbers, "R@1": 1.0})
    forge(bundle)
    assert "says i2t R@1 = 1, which is better than its scores give: 0." in failed(bundle)["scores"]


def test_an_accuracy_that_was_raised(bundle, forge):
    changed(record_of(bundle), classification__image=0.99)
    forge(bundle)
    assert "says image accuracy = 0.99, which is better than its scores give" in failed(bundle)["scores"]


def test_scores_that_were_left_out(bundle, forge):
    path = record_of(bundle)
    file = path.with_name(json.loads(path.read_text())["per_query"])
    pq.write_table(pq.read_table(file).drop_columns(["hp@5"]), file)
    changed(path)
    forge(bundle)
    assert "has no hp@5 of its queries in i2i, which HP@5 is taken from" in failed(bundle)["scores"]
    changed(path, per_query=None, per_query_sha256=None)
    file.unlink()
    forge(bundle)
    assert "has no hits@1 of its queries in i2i" in failed(bundle)["scores"]


def test_scores_of_fewer_queries(bundle, forge):
    path = record_of(bundle)
    file = path.with_name(json.loads(path.read_text())["per_query"])
    pq.write_table(pq.read_table(file).filter(pq.read_table(file)["query"].to_numpy() < 59), file)
    changed(path, neighbours=None, neighbours_sha256=None)
    path.with_name(f"{path.stem}.neighbours.parquet").unlink()
    forge(bundle)
    assert "has scores of 59 items in i2i, and its dataset 60 test items" in failed(bundle)["scores"]


@pytest.mark.parametrize(
    ("column", "change", "what"),
    [
        ("hits@5", lambda v: v * 0 + 6, "hits@5 is not from 0 to 5"),
        ("hits@1", lambda v: v * 0 - 1, "hits@1 is not from 0 to 1"),
        ("hits@10", lambda v: v * 0, "hits@10 does not follow hits@5"),
        ("hp@10", lambda v: v * 0, "hp@10 is less than hits@10"),
        ("first_hit", lambda v: v * 0, "first_hit does not fit hits@1"),
    ],
)
def test_scores_that_no_ranking_gives(bundle, forge, column, change, what):
    change_scores(record_of(bundle), column, change)
    changed(record_of(bundle))
    forge(bundle)
    assert "has scores in i2t that no ranking gives: of query" in failed(bundle)["scores"]
    assert what in failed(bundle)["scores"]


def test_scores_and_number_raised_together_leave_the_neighbours(bundle, forge):
    path = record_of(bundle)
    change_scores(path, "hits@1", lambda v: v * 0 + 1)
    change_scores(path, "first_hit", lambda v: v * 0 + 1)
    for name in ("hits@5", "hits@10", "hp@2", "hp@5", "hp@10"):
        change_scores(path, name, lambda v: np.maximum(v, 1))
    changed(path)
    fields = json.loads(path.read_text())
    table = pq.read_table(path.with_name(fields["per_query"])).to_pandas()
    table = table[table["direction"] == "i2t"]
    for metric in fields["retrieval"]["i2t"]:
        kind, k = metric.split("@")
        fields["retrieval"]["i2t"][metric] = float(
            (table[f"hits@{k}"] > 0).mean() if kind == "R" else table[f"hp@{k}"].mean() / int(k)
        )
    assert fields["retrieval"]["i2t"]["R@1"] == 1
    path.write_text(json.dumps(fields))
    forge(bundle)
    assert "in i2t is not what its nearest neighbours say" in failed(bundle)["scores"]


def test_tables_that_were_touched_up(bundle, forge):
    page = bundle / "README.md"
    page.write_text(page.read_text().replace("HUSE", "BEST", 1))
    forge(bundle)
    assert "is not what the scores give: '| BEST" in failed(bundle)["tables in README.md"]


def test_tables_of_another_version_are_not_judged(bundle, forge):
    page = bundle / "README.md"
    page.write_text("# other layout\n")
    forge(bundle, versions={"huse-bench": "0.0.1"})
    (check,) = [check for check in check_bundle(read_bundle(bundle)) if check.name == "tables in README.md"]
    assert check.passed is None
    assert "written by huse-bench 0.0.1" in check.detail


@pytest.fixture
def reported(folder, tmp_path):
    pytest.importorskip("jinja2")
    publish([folder], tmp_path / "reported", report=True)
    return tmp_path / "reported"


def check_of(bundle, name):
    (check,) = [check for check in check_bundle(read_bundle(bundle)) if check.name == name]
    return check


def test_a_report_is_made_again(reported):
    assert "made again from the scores" in check_of(reported, "report.html").detail
    assert not failed(reported)


def test_a_report_that_was_touched_up(reported, forge):
    page = reported / "report.html"
    page.write_text(page.read_text().replace("HUSE", "BEST", 1))
    forge(reported)
    assert "is not what the scores give" in failed(reported)["report.html"]


def test_a_report_drawn_by_another_version_is_not_judged(reported, forge):
    (reported / "report.html").write_text("<p>other lines</p>")
    known = json.loads((reported / "bundle.json").read_text())["versions"]
    forge(reported, versions={**known, "matplotlib": "0.1"})
    check = check_of(reported, "report.html")
    assert check.passed is None
    assert "matplotlib 0.1" in check.detail
    # Its size gives it away.
    assert list(failed(reported)) == ["ro-crate-metadata.json"]


def test_a_report_cannot_be_judged_without_what_draws_it(reported, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    check = check_of(reported, "report.html")
    assert check.passed is None
    assert "report" in check.detail
    assert not failed(reported)


def test_an_unknown_protocol(bundle, forge):
    for path in (bundle / "results" / "emoji" / "runs").glob("*.json"):
        changed(path, protocol__recall="mine/v9")
    forge(bundle)
    assert "counted by a protocol that this huse-bench does not know: recall: 'mine/v9'" in failed(bundle)["protocols"]


def test_seeds_of_one_configuration_that_differ(bundle, forge):
    changed(record_of(bundle), method__parameters={"margin": 0.9})
    forge(bundle)
    said = failed(bundle)["fingerprints"]
    assert "have one configuration, and method.parameters differs" in said
    assert '{"margin": 0.9}' in said


def test_one_seed_twice(bundle, forge):
    path = record_of(bundle)
    fields = json.loads(path.read_text())
    changed(path, seed=1)
    for file in list(path.parent.glob(f"{path.stem}*")):
        file.rename(file.with_name(file.name.replace("huse-s0", "huse-s1")))
    path = next(p for p in path.parent.glob(f"huse-s1-{fields['fingerprint'][:12]}.json"))
    fields = json.loads(path.read_text())
    names = {n: fields[n].replace("huse-s0", "huse-s1") for n in ("per_query", "predictions", "neighbours")}
    changed(path, **names)
    forge(bundle)
    assert "are of one configuration and one seed" in failed(bundle)["fingerprints"]


def test_labels_that_only_one_run_has(bundle, forge):
    path = record_of(bundle)
    file = path.with_name(json.loads(path.read_text())["predictions"])
    table = pq.read_table(file)
    pq.write_table(table.set_column(0, "label", pa.array(np.zeros(60, np.int8))), file)
    changed(path)
    forge(bundle)
    assert "says another label of the test items than" in failed(bundle)["scores"]


def test_a_run_that_no_record_is_of(bundle, forge):
    shutil.copy(record_of(bundle).with_suffix(".parquet"), bundle / "results" / "emoji" / "runs" / "x.parquet")
    forge(bundle)
    assert failed(bundle) == {"records": "results/emoji/runs/x.parquet belongs to no record"}


def test_a_path_of_a_machine(bundle, forge):
    changed(record_of(bundle), warnings=["see /home/mallory/x"])
    forge(bundle)
    assert "says 'see /home/mallory/x', which tells of a machine" in failed(bundle)["private"]


def test_a_file_that_this_version_does_not_make_is_said_to_be_unseen(bundle, forge):
    (bundle / "report.html").write_text("<p>Trust me.")
    forge(bundle)
    (check,) = [check for check in check_bundle(read_bundle(bundle)) if check.passed is None]
    assert check.name == "report.html"


def test_what_was_passed_is_kept_and_says_nothing_private(bundle, tmp_path):
    shutil.make_archive(str(tmp_path / "bundle"), "zip", bundle)
    for path in (bundle, tmp_path / "bundle.zip"):
        read = read_bundle(path)
        sign_off(read, check_bundle(read), "re-rendered")
        again = read_bundle(path)
        assert (again.hash, again.level) == (read.hash, "re-rendered")
        sign_off(again, check_bundle(again), "spot-checked")
        sign_off(read_bundle(path), check_bundle(again), "re-rendered")
        final = read_bundle(path)
        assert [check.level for check in final.verified.verifications] == ["re-rendered", "spot-checked", "re-rendered"]
        assert final.level == "spot-checked"
        assert str(tmp_path) not in final.verified.model_dump_json()
        assert set(final.verified.verifications[0].machine) == {"platform", "python"}


@pytest.mark.parametrize(
    ("place", "change", "said"),
    [
        ("./", {"name": "Other runs"}, "says of ./ name"),
        ("./", {"license": "CC0"}, "says of ./ license"),
        ("./", {"datePublished": "2001-01-01T00:00:00+00:00"}, "says of ./ datePublished"),
        ("./", {"hasPart": []}, "says of ./ hasPart"),
        ("#author-1", {"name": "B. Other"}, "says of #author-1 name"),
        ("README.md", {"contentSize": "1"}, "says of README.md contentSize"),
        ("results/emoji/", {"name": "Other data"}, "says of results/emoji/ name"),
        ("#runs", {"result": {"@id": "README.md"}}, "says of #runs result"),
        ("README.md", None, "are not of the same files and names: one of them alone has 'README.md'"),
        ("more.txt", {"@type": "File"}, "are not of the same files and names: one of them alone has 'more.txt'"),
    ],
)
def test_metadata_that_tell_of_another_bundle(bundle, forge, place, change, said):
    path = bundle / "ro-crate-metadata.json"
    document = json.loads(path.read_text())
    entities = {entity["@id"]: entity for entity in document["@graph"]}
    if change is None:
        del entities[place]
    else:
        entities[place] = {"@id": place, **entities.get(place, {}), **change}
    path.write_text(json.dumps({**document, "@graph": [*entities.values()]}))
    forge(bundle)
    assert list(failed(bundle)) == ["ro-crate-metadata.json"]
    assert said in failed(bundle)["ro-crate-metadata.json"]


@pytest.mark.parametrize("contents", ["{", "[]", '{"@graph": [{}]}', '{"@graph": 3}'])
def test_metadata_that_are_none(bundle, forge, contents):
    (bundle / "ro-crate-metadata.json").write_text(contents)
    forge(bundle)
    assert "is no list of entities" in failed(bundle)["ro-crate-metadata.json"]


def test_metadata_may_say_more_and_in_another_order(bundle, forge):
    path = bundle / "ro-crate-metadata.json"
    document = json.loads(path.read_text())
    for entity in document["@graph"]:
        entity["identifier"] = "more"
        if isinstance(entity.get("hasPart"), list):
            entity["hasPart"].reverse()
    path.write_text(json.dumps({**document, "@graph": document["@graph"][::-1]}))
    forge(bundle)
    assert failed(bundle) == {}


def test_metadata_of_another_version_are_not_seen(bundle, forge):
    path = bundle / "ro-crate-metadata.json"
    path.write_text(path.read_text().replace("Markdown", "a page of text"))
    forge(bundle, versions={"huse-bench": "9.9"})
    (check,) = [check for check in check_bundle(read_bundle(bundle)) if check.name == path.name]
    assert check.passed is None
