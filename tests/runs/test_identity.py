"""What is in the identity of a run: each module that a run imports is in it, or here with a reason why not."""

from dataclasses import replace
from pathlib import Path

import grimp
import pytest

import huse_bench
from huse_bench.config import resolve_config
from huse_bench.discovery import Component
from huse_bench.fingerprint import fingerprint
from huse_bench.progress import Reporter
from huse_bench.runs import identity
from huse_bench.runs.controls import CONTROLS, shuffled_method
from huse_bench.runs.data import load, make_ready
from huse_bench.runs.methods import resolve_methods
from huse_bench.tuning.objective import Objective
from huse_bench.tuning.plan import identity_of, space_of

ROOT = Path(huse_bench.__file__).parent

#: Modules and packages that a run imports and that change no number of it.
SILENT = {
    "huse_bench.arguments": "the hyper-parameters that it checks are in the identity by value",
    "huse_bench.components": "the rest says what items and backbones are, whose contents are in the identity",
    "huse_bench.config": "the settings that it reads are in the identity by value",
    "huse_bench.discovery": "what it finds is in the identity: a loss by its code, data by their contents",
    "huse_bench.errors": "messages",
    "huse_bench.faults": "messages",
    "huse_bench.features": "makes the features, which are in the identity by their contents",
    "huse_bench.files": "writes files",
    "huse_bench.fingerprint": "makes identities, and no number",
    "huse_bench.hints": "messages",
    "huse_bench.results": "keeps the numbers that were made",
    "huse_bench.runs.controls": "in the identity of controls, by itself",
    "huse_bench.runs.methods": "the hyper-parameters that it resolves are in the identity by value",
    "huse_bench.space": "a tuning space says what may be tried, and what was chosen is in the identity by value",
    "huse_bench.text_files": "reads files, whose values are in the identity",
    "huse_bench.untrusted": "likewise",
}


def counted():
    """The modules whose code is in the identity."""
    paths = [
        path
        for part in identity.NUMBERS
        for path in ([ROOT / part], (ROOT / part).rglob("*.py"))[(ROOT / part).is_dir()]
    ]
    names = {path.relative_to(ROOT.parent).with_suffix("").as_posix().replace("/", ".") for path in paths}
    return {name.removesuffix(".__init__") for name in names}


@pytest.fixture(scope="module")
def imported():
    """What a run imports, and what the modules that count do, some of which are imported late by their name."""
    graph = grimp.build_graph("huse_bench", exclude_type_checking_imports=True, cache_dir=None)
    starts = {"huse_bench.runs.experiment"} | {control.evaluate.__module__ for control in CONTROLS} | counted()
    return starts | {module for start in starts for module in graph.find_upstream_modules(start)}


def is_within(module, names):
    return any(module == name or module.startswith(f"{name}.") for name in names)


def test_each_module_that_a_run_imports_is_in_its_identity_or_changes_no_number(imported):
    unknown = sorted(module for module in imported - counted() if not is_within(module, SILENT))
    assert not unknown, (
        f"{', '.join(unknown)}: add what changes a number to NUMBERS in huse_bench/runs/identity.py, "
        "and what does not to SILENT here, with the reason"
    )


def test_a_reason_is_given_for_no_module_that_counts_and_for_none_that_is_not_there(imported):
    assert not counted() & SILENT.keys()
    assert not {name for name in SILENT if not any(is_within(module, {name}) for module in imported)}


def test_what_is_listed_is_there():
    assert all((ROOT / part).exists() for part in (*identity.NUMBERS, *identity.PAGES, *identity.DEVICES.values()))


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of the core's sources, that may be changed; gives how to change a file and how to hash all."""
    import shutil

    root = tmp_path / "huse_bench"
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(identity, "__file__", str(root / "runs/identity.py"))
    identity.core_hash.cache_clear()
    yield root
    identity.core_hash.cache_clear()


def hashes():
    identity.core_hash.cache_clear()
    return {device: identity.core_hash(device) for device in ("cpu", "cuda")}


@pytest.mark.parametrize(
    ("name", "devices"),
    [
        ("components/_graph.py", {"cpu", "cuda"}),
        ("training/loop.py", {"cpu", "cuda"}),
        ("features/_prepare.py", {"cpu", "cuda"}),
        ("taxonomy.py", {"cpu", "cuda"}),
        ("measures.py", {"cpu", "cuda"}),
        ("compiling.py", {"cpu", "cuda"}),
        ("kernels/cpu/top_k.py", {"cpu", "cuda"}),
        ("kernels/cuda/graph_loss.py", {"cuda"}),
        ("kernels/cuda/report.py", set()),
        ("features/cache.py", set()),
        ("report/notes.py", set()),
    ],
)
def test_the_code_of_each_device_counts_and_pages_and_comments_do_not(copied, name, devices):
    before = hashes()
    path = copied / name
    text = path.read_text()
    path.write_text("# seen\n" + text)
    assert hashes() == before
    path.write_text(text + "\nSEEN = 1\n")
    after = hashes()
    assert {device for device in before if after[device] != before[device]} == devices


def test_a_new_module_and_one_that_is_renamed_count(copied):
    before = hashes()
    (copied / "training/new.py").write_text("x = 1\n")
    new = hashes()
    (copied / "training/new.py").rename(copied / "training/other.py")
    assert len({each["cpu"] for each in (before, new, hashes())}) == 3


@pytest.fixture
def planned(toy, quick_training):  # noqa: ARG001 - toy puts the dataset on the path
    config = resolve_config(None, {"dataset": "toy", "methods": ["huse", "gap"], "training": quick_training})
    _, data = make_ready(load(config), config, Reporter(quiet=True))
    return config, resolve_methods(config), data


def test_the_class_of_device_and_the_precision_count(planned):
    config, (huse, _), data = planned
    exact = identity.run_identity(config, huse, data, "cpu")
    assert exact["device"] == "cpu"
    other = config.model_copy(update={"training": config.training.model_copy(update={"precision": "bfloat16"})})
    found = [exact, identity.run_identity(config, huse, data, "cuda"), identity.run_identity(other, huse, data, "cpu")]
    assert len({fingerprint(each) for each in found}) == 3


def test_controls_are_the_same_on_every_device_and_count_their_own_code(planned, monkeypatch):
    config, (huse, _), data = planned
    before = [identity.control_fingerprint(control, config, data) for control in CONTROLS]
    shuffled = identity.run_identity(config, shuffled_method(huse), data, "cpu")
    plain = identity.run_identity(config, huse, data, "cpu")
    monkeypatch.setattr(identity, "controls_hash", lambda: "other")
    assert not set(before) & {identity.control_fingerprint(control, config, data) for control in CONTROLS}
    assert identity.run_identity(config, shuffled_method(huse), data, "cpu") != shuffled
    assert identity.run_identity(config, huse, data, "cpu") == plain


@pytest.mark.parametrize(
    ("provider", "target", "counts"),
    [("acme", "acme:Loss", True), ("huse-bench", "a:B", False), ("gap-py", "huse_bench.dropin.gap:Gap", False)],
)
def test_the_version_of_a_distribution_counts_where_its_sources_may_not_show_all(planned, provider, target, counts):
    config, (huse, _), data = planned
    found = {
        fingerprint(
            identity.run_identity(
                config,
                replace(huse, component=Component("loss", "huse", target, provider, version)),
                data,
                "cpu",
            )
        )
        for version in ("1.0", "1.1")
    }
    assert len(found) == 1 + counts


def test_a_study_is_of_the_same_identity(planned):
    config, (huse, _), data = planned
    space, objective = space_of(huse, config), Objective(("mean R@1",))
    known = identity_of(huse, space, objective, config, data, "cpu", 1)
    changed = replace(huse, source_hash="0" * 64)
    assert identity_of(huse, space, objective, config, data, "cuda", 1) != known
    assert identity_of(changed, space, objective, config, data, "cpu", 1) != known
    seeded = config.model_copy(update={"seeds": (5,)})
    assert identity_of(huse, space, objective, seeded, data, "cpu", 1) != known
    assert identity_of(huse, space, objective, config, data, "cpu", 2) != known
    assert identity_of(huse, space, Objective(("mean HP@5",)), config, data, "cpu", 1) != known
    assert identity_of(huse, space, objective, config, data, "cpu", 1) == known
