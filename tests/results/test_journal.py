"""The journal of a search, read without Optuna."""

import json

import pytest

from huse_bench.errors import RecordError
from huse_bench.results.journal import TrialValue, read_journal

STUDY = {"op_code": 0, "worker_id": "w", "study_name": "huse-0123456789ab", "directions": [2]}


def trial(number=1, value=0.5, study=0):
    return {"op_code": 4, "worker_id": "w", "study_id": study, "value": value, "user_attrs": {"number": number}}


def write(folder, *lines, end="\n"):
    (folder / "tuning").mkdir()
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / "tuning" / "journal.log").write_text(text + end)
    return folder


def test_no_search_left_no_trials(tmp_path):
    assert read_journal(tmp_path) == {}


def test_what_optuna_wrote_is_read(tmp_path):
    optuna = pytest.importorskip("optuna")
    from optuna.storages.journal import JournalFileBackend

    (tmp_path / "tuning").mkdir()
    path = tmp_path / "tuning" / "journal.log"
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
    for name in ("cme-aaaaaaaaaaaa", "huse-bbbbbbbbbbbb", "cme-aaaaaaaaaaaa"):
        study = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
    states = optuna.trial.TrialState
    for number, value in ((2, 0.25), (1, 0.75)):
        study.add_trial(optuna.trial.create_trial(value=value, user_attrs={"number": number}))
    study.add_trial(optuna.trial.create_trial(state=states.FAIL, user_attrs={"number": 3}))
    assert read_journal(tmp_path) == {
        "cme-aaaaaaaaaaaa": (TrialValue(1, 0.75), TrialValue(2, 0.25), TrialValue(3, None)),
        "huse-bbbbbbbbbbbb": (),
    }


def test_a_torn_last_line_is_no_trial_yet(tmp_path):
    write(tmp_path, STUDY, trial(), json.dumps(trial(2))[:30], end="")
    assert read_journal(tmp_path) == {"huse-0123456789ab": (TrialValue(1, 0.5),)}


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "[]",
        "{}",
        trial(study=7),
        trial(number=0),
        trial(number="1"),
        trial(value="high"),
        trial(value=True),
        '{"op_code": 4, "study_id": 0, "value": NaN, "user_attrs": {"number": 1}}',
    ],
)
def test_a_damaged_journal_is_named(tmp_path, line):
    write(tmp_path, STUDY, line)
    with pytest.raises(RecordError, match=r"journal\.log is no readable journal of trials .*; restore it, or move"):
        read_journal(tmp_path)
