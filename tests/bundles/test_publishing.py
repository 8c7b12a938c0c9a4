"""What a bundle holds, that it is the same each time, and what is not published."""

import getpass
import json
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rocrate
import yaml

from huse_bench.bundles import read_bundle
from huse_bench.bundles.checks import check_bundle
from huse_bench.bundles.publishing import publish
from huse_bench.cli import main
from huse_bench.errors import BundleError, ResultsError, UsageError
from huse_bench.report import render
from huse_bench.report.several import render_several
from huse_bench.results import Store, load_results
from huse_bench.results.card import make_card
from huse_bench.results.commands import announced


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_bundle_holds_the_runs_and_what_is_made_of_them(folder, tmp_path):
    facts = publish([folder], tmp_path / "out", title="My runs", authors=["A. One", "B. Two"])
    assert facts.title == "My runs"
    found = contents(tmp_path / "out")
    top = {name for name in found if "/" not in name}
    assert top == {
        *("bundle.json", "README.md", "CITATION.cff", "configuration.json", "environment.json"),
        "ro-crate-metadata.json",
    }
    for name, there in contents(folder).items():
        if not name.startswith("."):
            assert found[f"results/emoji/{name}"] == there
    assert render(load_results(folder), "markdown") in found["README.md"].decode()
    (huse, *_) = [row for row in json.loads(found["configuration.json"])["results"]["emoji"] if row["row"] == "HUSE"]
    assert huse["method"]["parameters"] == {"margin": 0.7}
    assert huse["settings"] == {"training.steps": {"value": 200, "origin": "preset quick"}}
    assert set(huse["runs"]) == {"0", "1"}
    (machine,) = json.loads(found["environment.json"])["results"]["emoji"]
    assert machine["facts"] == {"python": "3.11"}
    assert len(machine["runs"]) == 4
    assert all(check.passed for check in check_bundle(read_bundle(tmp_path / "out")))


def test_the_citation_is_yaml_of_its_format(folder, tmp_path):
    publish([folder], tmp_path / "out", title='Runs: "all" of #1', authors=["A. O'Ne: x", "\N{GRINNING FACE}"])
    cited = yaml.safe_load((tmp_path / "out" / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited.pop("message")
    assert str(cited.pop("date-released")) == "2026-01-02"
    assert cited == {
        "cff-version": "1.2.0",
        "type": "dataset",
        "title": 'Runs: "all" of #1',
        "authors": [{"name": "A. O'Ne: x"}, {"name": "\N{GRINNING FACE}"}],
    }


def test_the_same_runs_give_the_same_bytes(folder, tmp_path):
    for name in ("a.zip", "b.zip"):
        publish([folder], tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    publish([folder], tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == sorted(archive.namelist())
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {name: archive.read(name) for name in archive.namelist()} == contents(tmp_path / "out")


def test_the_crate_names_every_file(folder, tmp_path):
    publish([folder], tmp_path / "out", authors=["A. One"])
    graph = {e["@id"]: e for e in json.loads((tmp_path / "out" / "ro-crate-metadata.json").read_text())["@graph"]}
    files = {entry for entry, fields in graph.items() if fields["@type"] == "File"}
    assert files == set(contents(tmp_path / "out")) - {"bundle.json", "ro-crate-metadata.json"}
    assert graph["#author-1"]["name"] == "A. One"
    assert graph["./"]["creator"] == {"@id": "#author-1"} or graph["./"]["creator"] == [{"@id": "#author-1"}]


@pytest.mark.filterwarnings("ignore")
def test_the_crate_passes_the_validator(folder, tmp_path, monkeypatch):
    services = pytest.importorskip("rocrate_validator.services", reason="roc-validator is not installed")
    models = pytest.importorskip("rocrate_validator.models")
    # The words of RO-Crate come with the package rocrate, and not from the net.
    response = pytest.importorskip("requests").Response()
    response.status_code = 200
    response._content = (Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_bytes()
    response.headers["Content-Type"] = "application/ld+json"
    monkeypatch.setattr("rocrate_validator.utils.http.HttpRequester.get", lambda *_, **__: response, raising=False)
    publish([folder], tmp_path / "out", authors=["A. One"])
    settings = services.ValidationSettings(
        rocrate_uri=str(tmp_path / "out"),
        profile_identifier="ro-crate-1.1",
        requirement_severity=models.Severity.REQUIRED,
    )
    result = services.validate(settings)
    assert not result.has_issues(), [issue.message for issue in result.get_issues()]


def test_without_rocrate_the_extra_is_named(folder, tmp_path):
    code = (
        "import sys; sys.modules['rocrate'] = None\n"
        "from huse_bench.cli import main\n"
        f"sys.exit(main(['publish', {str(folder)!r}, '-o', {str(tmp_path / 'out')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'huse-bench[publish]'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_nothing_private_is_published(folder, tmp_path, write_run, monkeypatch):
    monkeypatch.setenv("LOGNAME", "mallory-smith")
    monkeypatch.setattr(socket, "gethostname", lambda: "secret-node-17")
    assert getpass.getuser() == "mallory-smith"
    write_run(
        folder,
        "planted",
        warnings=["see /home/mallory-smith/data/x.png on secret-node-17"],
        provenance={"command": "huse-bench run --data /mnt/private/set --results C:\\Users\\Mallory\\out"},
        config={"training.steps": {"value": 200, "origin": "file /home/mallory-smith/conf.toml"}},
        status="failed",
        error="no space on \\\\server\\share\\x, asked by mallory-smith",
    )
    Store(folder).write_card(card(load_results(folder).records[0], description="of /home/mallory-smith/data"))
    publish([folder], tmp_path / "out")
    private = re.compile(
        rb"mallory|secret-node|/home|/mnt|C:.Users|\\\\server|/tmp|" + str(tmp_path).encode(), re.IGNORECASE
    )
    for name, text in contents(tmp_path / "out").items():
        assert not private.search(text), (name, private.search(text))
    said = json.loads(next((tmp_path / "out" / "results" / "emoji" / "runs").glob("planted*.json")).read_text())
    assert said["warnings"] == ["see x.png on host"]
    # What was published stays what it is.
    assert all(check.passed for check in check_bundle(read_bundle(tmp_path / "out")))


def card(record, ids=None, **changes):
    n, k = record.dataset.items.test, record.dataset.classes
    return make_card(
        record.dataset,
        class_names=[f"class {i}" for i in range(k)],
        edges=[("root", f"class {i}") for i in range(k)],
        distances=np.ones((k, k)) - np.eye(k),
        ids=ids or [f"item{i}" for i in range(n)],
        labels=np.arange(n) % 6,
        groups=np.arange(n) // 2,
        **changes,
    )


def test_ids_that_are_paths_are_refused(folder, tmp_path):
    record = load_results(folder).records[0]
    Store(folder).write_card(card(record, ids=[f"/home/mallory/{i}.png" for i in range(record.dataset.items.test)]))
    with pytest.raises(BundleError, match=r"data-card.items.parquet: the column id has '/home/mallory/0.png'"):
        publish([folder], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("given", [{"title": "runs of /home/mallory"}, {"authors": ["~/mallory"]}])
def test_a_title_that_is_private(folder, tmp_path, given):
    with pytest.raises(UsageError, match="holds a path of this machine"):
        publish([folder], tmp_path / "out", **given)


def test_logs_models_and_embeddings_stay_out_unless_asked_for(folder, tmp_path):
    stem = load_results(folder).records[0].stem
    (folder / "runs" / f"{stem}.events.jsonl").write_text(
        '{"event": "started", "file": "/home/mallory/x", "host": "another-node-3", "process": 4711}\n'
    )
    for kind in ("models", "embeddings"):
        (folder / kind).mkdir()
        (folder / kind / f"{stem}.safetensors").write_bytes(b"weights")
    publish([folder], tmp_path / "few")
    assert not [name for name in contents(tmp_path / "few") if "events" in name or "models/" in name]
    publish([folder], tmp_path / "all", events=True, models=True, embeddings=True)
    found = contents(tmp_path / "all")
    assert json.loads(found[f"results/emoji/runs/{stem}.events.jsonl"]) == {"event": "started", "file": "x"}
    assert found[f"results/emoji/models/{stem}.safetensors"] == b"weights"
    assert found[f"results/emoji/embeddings/{stem}.safetensors"] == b"weights"
    assert all(check.passed for check in check_bundle(read_bundle(tmp_path / "all")))


def test_a_half_written_run_is_refused(folder, tmp_path):
    record = load_results(folder).records[0]
    (folder / "runs" / f"{record.stem}.json").unlink()
    with pytest.raises(ResultsError, match=rf"{record.stem}.*parquet belongs to no record: the run was not written"):
        publish([folder], tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["emoji"]


def test_a_record_with_problems_is_refused(folder, tmp_path):
    next((folder / "runs").glob("*.json")).write_text("{")
    with pytest.raises(ResultsError, match="has problems, and would be published without these runs"):
        publish([folder], tmp_path / "out")


def test_what_is_no_results_folder(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(ResultsError, match="not a huse-bench results folder"):
        publish([tmp_path / "x"], tmp_path / "out")


def test_numbers_that_the_scores_do_not_give(folder, tmp_path):
    path = next((folder / "runs").glob("huse-s0-*.json"))
    fields = json.loads(path.read_text())
    fields["retrieval"]["i2t"]["R@1"] = 0.99
    path.write_text(json.dumps(fields))
    with pytest.raises(BundleError, match=r"huse-s0-\w+ says i2t R@1 = 0.99, which is better than its scores give"):
        publish([folder], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_there(folder, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(UsageError, match=r"out is there already; delete it, or choose another -o"):
        publish([folder], tmp_path / "out")


def test_two_folders_of_one_name(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "more" / "emoji")
    with pytest.raises(UsageError, match="two results folders are named emoji"):
        publish([folder, tmp_path / "more" / "emoji"], tmp_path / "out")
    shutil.move(tmp_path / "more" / "emoji", tmp_path / "more" / "other")
    assert publish([folder, tmp_path / "more" / "other"], tmp_path / "out").results == ("emoji", "other")
    assert (tmp_path / "out" / "README.md").read_text().count("Table 1") == 2


def test_several_data_sets_have_their_summary_first(folder, tmp_path, write_run, forge):
    others = {"dataset": "icons", "dataset__content_hash": "of icons", "configuration": "on icons"}
    for name in ("huse", "cme"):
        for seed in (0, 1):
            write_run(tmp_path / "icons", name, seed, quality=0.7, **others)
    bundle = tmp_path / "out"

    def wrong():
        return [check.name for check in check_bundle(read_bundle(bundle)) if not check.passed]

    assert publish([folder, tmp_path / "icons"], bundle).summary
    page = (bundle / "README.md").read_text()
    shown = render_several([load_results(folder), load_results(tmp_path / "icons")], "markdown", tables=["summary"])
    assert "**Summary: Methods over 2 data sets.**" in shown
    assert page.index(shown) < page.index("results/emoji") < page.index("results/icons")
    assert wrong() == []
    # A bundle of before, which had none and does not say so, is what it says; one that lost its summary is not.
    (bundle / "README.md").write_text(page.replace(f"{shown}\n\n", ""))
    forge(bundle)
    assert "tables in README.md" in wrong()
    facts = json.loads((bundle / "bundle.json").read_text())
    del facts["summary"]
    (bundle / "bundle.json").write_text(json.dumps(facts))
    assert "tables in README.md" not in wrong()


def test_what_cannot_be_averaged_has_no_summary(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "other")
    assert not publish([folder, tmp_path / "other"], tmp_path / "out").summary
    assert "ummary" not in (tmp_path / "out" / "README.md").read_text()


def test_markup_of_a_title_is_shown_as_it_is(folder, tmp_path):
    publish([folder], tmp_path / "out", title="<script>alert(1) [x](y)")
    first = (tmp_path / "out" / "README.md").read_text().splitlines()[0]
    assert first == r"# \<script>alert(1) \[x\](y)"


def test_tables_of_a_bundle_are_cited_by_its_hash(folder, tmp_path):
    publish([folder], tmp_path / "out", title="Mine")
    bundle = read_bundle(tmp_path / "out")

    def named(path, **style):
        source = render(load_results(path), "latex", **style)
        return set(re.findall(r"^% huse-bench (\w+ [0-9a-f]{12})$", source, re.MULTILINE)), source

    inside = tmp_path / "out" / "results" / "emoji"
    assert named(inside)[0] == {f"bundle {bundle.short_hash}"}
    assert rf"Bundle: \texttt{{{bundle.short_hash}}} (huse-bench)" in named(inside, footnote=True)[1]
    (of_runs,) = named(folder)[0]
    assert of_runs.startswith("results ")
    # What was changed since, and what is no whole bundle, is cited by its runs.
    facts = (tmp_path / "out" / "bundle.json").read_text()
    for text in ("{", "[]", "{}", facts.replace('"results/emoji/runs', '"results/other/runs')):
        (tmp_path / "out" / "bundle.json").write_text(text)
        assert named(inside)[0] == {of_runs}
    (tmp_path / "out" / "bundle.json").write_text(facts)
    record = next(inside.glob("runs/huse-s0-*.json"))
    record.write_text(record.read_text() + " ")
    assert named(inside)[0] == {of_runs}


def test_a_bundle_is_no_results_folder_and_says_where_these_are(folder, tmp_path):
    publish([folder], tmp_path / "out")
    with pytest.raises(ResultsError, match=r"out is a bundle; name one of the results folders in .*out.results"):
        load_results(tmp_path / "out")


def test_runs_that_a_command_has_before_it_are_missed_aloud(folder, tmp_path, capsys):
    with announced(folder, ["huse-s2-0123456789ab", "cme-s2-0123456789ab"]):
        assert main(["publish", str(folder), "-o", str(tmp_path / "early")]) == 0
    said = capsys.readouterr().err
    assert f"a command was at {folder}, and 2 of its runs had not ended: they may be missing" in said
    assert main(["publish", str(folder), "-o", str(tmp_path / "late")]) == 0
    assert "a command" not in capsys.readouterr().err


# The command ends once the records have been read, when the first scores are.
ENDS_MEANWHILE = """
import sys
from contextlib import ExitStack
from pathlib import Path
from huse_bench.cli import main
from huse_bench.results.commands import announced, commands_at

folder, output = sys.argv[1:]
command = ExitStack()
command.enter_context(announced(Path(folder), ["huse-s2-0123456789ab"]))
sys.addaudithook(lambda event, of: event == "open" and str(of[0]).endswith(".parquet") and command.close())
code = main(["publish", folder, "-o", output])
assert not commands_at(Path(folder))
sys.exit(code)
"""


def test_a_command_that_ends_while_its_folder_is_read_is_named(folder, tmp_path):
    command = [sys.executable, "-c", ENDS_MEANWHILE, folder, tmp_path / "out"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert f"a command was at {folder}, and 1 of its runs had not ended" in done.stderr


def test_a_run_that_a_command_is_at_is_waited_for(folder, tmp_path, make_record):
    store, record = Store(folder), make_record("huse", 2)
    log = folder / "runs" / f"{record.stem}.events.jsonl"
    log.write_text('{"event": "run_started", "method": "huse", "seed": 2, "steps": 100}\n')
    with store.claim(record.fingerprint), pytest.raises(ResultsError, match=r"a command is at the run of .*huse-s2-"):
        publish([folder], tmp_path / "out")
    with pytest.raises(ResultsError, match=r"huse-s2-.* belongs to no record: the run was not written to its end"):
        publish([folder], tmp_path / "out")
    log.unlink()
    stray = folder / "runs" / f"{load_results(folder).records[0].stem}.notes"
    stray.touch()
    with pytest.raises(ResultsError, match=r"notes belongs to no record"):
        publish([folder], tmp_path / "out")
