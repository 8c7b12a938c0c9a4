"""Records of schema 1, as they were written before there was another, and as they are read now."""

import copy
import json
import zipfile
from pathlib import Path, PurePosixPath

import pytest

import huse_bench as hb
from huse_bench.results import RunRecord, Store
from huse_bench.results.migration import migrated
from huse_bench.results.schema import SCHEMA_VERSION

OLD = json.loads(Path(__file__).with_name("schema_1.json").read_text(encoding="utf-8"))
BUNDLES = sorted((Path(__file__).parents[2] / "results").rglob("*.zip"))
ADDED = {"kind", "curves", "learning", "device", "classes", "neighbours", "classes_sha256", "neighbours_sha256"}


def was_faked(fields):
    """Whether a training of no steps stands for that there was none."""
    return fields["training"] is not None and fields["training"]["steps"] == 0


def check(fields):
    """Nothing but what schema 2 brought is other in a record of schema 1 that was read."""
    before = copy.deepcopy(fields)
    record = RunRecord.model_validate(migrated(fields))
    assert fields == before
    now = record.model_dump(mode="json")
    assert now["schema_version"] == 2
    for name in now.keys() - ADDED - {"schema_version", "created"} - ({"training"} if was_faked(fields) else set()):
        expected = fields.get(name, RunRecord.model_fields[name].default)
        # Fields that a part gained within schema 1 have their defaults.
        assert now[name] == expected or expected.items() <= now[name].items(), name
    assert record.created.isoformat().replace("+00:00", "Z") == fields["created"]
    assert all(now[name] is None for name in ADDED - {"kind"})
    return record


@pytest.mark.parametrize("stem", OLD)
def test_a_record_of_schema_1_says_the_same(stem):
    record = check(OLD[stem])
    assert record.stem == stem
    assert record.is_control is ("control" in stem)


def test_controls_that_need_no_training_have_none():
    """Told by the name: as schema 1 did, and where one failed."""
    kinds = {fields["method"]["name"]: check(fields).kind for fields in OLD.values()}
    assert kinds == {
        "huse": "method",
        "cme": "method",
        "control:ceiling": "control",
        "control:raw-neighbours": "control",
        "control:shuffled-huse": "trained control",
    }
    trained = {fields["method"]["name"]: check(fields).training for fields in OLD.values()}
    assert trained["control:ceiling"] is None
    assert trained["control:shuffled-huse"].steps == 200


@pytest.mark.skipif(not BUNDLES, reason="an unpacked distribution keeps no results")
def test_the_committed_records_are_read():
    kinds = set()
    for bundle in BUNDLES:
        with zipfile.ZipFile(bundle) as packed:
            for path in map(PurePosixPath, packed.namelist()):
                if path.match("results/*/runs/*.json"):
                    fields = json.loads(packed.read(str(path)))
                    record = check(fields) if fields["schema_version"] == 1 else RunRecord.model_validate(fields)
                    assert record.stem == path.stem
                    assert (record.training is None) is (record.kind == "control")
                    kinds.add(record.kind)
    assert kinds == {"method", "trained control", "control"}


@pytest.mark.parametrize(
    "fields", [{}, {"schema_version": 1}, {"schema_version": 1, "method": 3}, {"schema_version": 1, "method": {}}]
)
def test_what_is_no_record_is_left_for_the_schema_to_refuse(fields):
    with pytest.raises(ValueError, match="validation error"):
        RunRecord.model_validate(migrated(fields))


@pytest.mark.parametrize("version", [SCHEMA_VERSION, SCHEMA_VERSION + 1, "1", True, None])
def test_only_what_is_older_is_migrated(version):
    fields = {"schema_version": version}
    assert migrated(fields) is fields


def test_old_and_new_records_stand_in_one_table(tmp_path, make_record):
    store = Store(tmp_path, dataset="emoji")
    for stem, fields in OLD.items():
        (tmp_path / "runs" / f"{stem}.json").write_text(json.dumps(fields), encoding="utf-8")
    store.write(make_record("huse", 0, start=0.1))
    store.write(make_record("triplet", 0))
    store.write(make_record("control:chance", 0, accuracies=None, method__section="Controls"))
    results = hb.load_results(tmp_path)
    assert not results.problems
    table = results.tables()["table1"]
    assert set(table.index) == {"HUSE", "CME", "TRIPLET", *(f"CONTROL:{n}" for n in CONTROLS)}
    (row,) = (row for row in results.rows if row.label == "HUSE")
    assert [record.seed for record in row.records] == [0, 1]
    # The old record begins at 0.5, the new one at 0.1.
    assert table.loc["HUSE"].iloc[0] == pytest.approx((0.1 + 0.5) / 2)
    assert [row.label for row in results.rows if row.is_control] == list(table.index[-4:])


CONTROLS = ("CEILING", "CHANCE", "RAW-NEIGHBOURS", "SHUFFLED-HUSE")


def test_an_old_record_is_written_anew_in_the_present_schema(tmp_path):
    (stem, *_) = OLD
    path = tmp_path / "runs" / f"{stem}.json"
    store = Store(tmp_path, dataset="emoji")
    path.write_text(json.dumps(OLD[stem]), encoding="utf-8")
    ((record,), _) = store.read()
    # Reading leaves the file as it is.
    assert json.loads(path.read_text(encoding="utf-8")) == OLD[stem]
    store.write(record)
    assert json.loads(path.read_text(encoding="utf-8"))["schema_version"] == 2
    assert store.read() == ([record], [])
