import importlib
import shutil
import sys

import pytest

from huse_bench.discovery import examine, find, load, source_hash
from huse_bench.errors import PluginConflictError, PluginError, PluginLoadError
from huse_bench.fingerprint import source_digest

LOSSES = "huse_bench.losses"
GAP = """
import huse_bench


class Gap(huse_bench.Loss):
    '''Mean cosine distance of the two views of an item.'''

    title = "Gap only"

    def forward(self, batch):
        return {"gap": (1 - (batch.image * batch.text).sum(1)).mean()}
"""


def _refused(install, source, target="acme_m:L", group=LOSSES, kind="loss"):
    install("acme", {group: {"acme-x": target}}, acme_m=source)
    with pytest.raises(PluginLoadError) as error:
        load(kind, "acme-x")
    message = str(error.value)
    assert message.startswith(f"{kind} 'acme-x' of acme==1.0 ({target}) cannot be ")
    assert "\n" not in message
    return message


def test_loads_only_what_is_asked_for(install):
    install("acme", {LOSSES: {"acme-gap": "acme_gap:Gap", "acme-bad": "acme_bad:Bad"}}, acme_gap=GAP, acme_bad="1 / 0")
    cls = load("loss", "Acme_Gap")
    assert (cls.__name__, cls.title) == ("Gap", "Gap only")
    assert "acme_bad" not in sys.modules


def test_loads_one_side_of_a_conflict_by_its_qualified_name(install):
    install("acme", {LOSSES: {"gap-x": "acme_m:Gap"}}, acme_m=GAP)
    install("bolt", {LOSSES: {"gap-x": "bolt_m:Gap"}}, bolt_m=GAP)
    with pytest.raises(PluginConflictError):
        load("loss", "gap-x")
    assert load("loss", "bolt::gap-x").__module__ == "bolt_m"


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("raise ValueError('two\\nlines')", "ValueError: two lines. Upgrade, reinstall or uninstall acme"),
        ("raise SystemExit(3)", "SystemExit: 3. Upgrade, reinstall or uninstall acme"),
        ("import no_such_module.part", "Install the missing module 'no_such_module', or upgrade"),
        ("def f(:", "SyntaxError: invalid syntax"),
        ("", "AttributeError: module 'acme_m' has no attribute 'L'. Upgrade"),
    ],
)
def test_a_failing_import_names_cause_and_cure(install, source, cause):
    assert cause in _refused(install, source)


def test_a_missing_own_module_is_no_missing_dependency(install):
    message = _refused(install, "", target="acme_gone:L")
    assert "No module named 'acme_gone'. Upgrade, reinstall or uninstall acme" in message


def test_an_error_with_its_own_cure_gets_no_second_one(install):
    message = _refused(install, "from huse_bench import errors\nraise errors.MissingExtraError('X', 'e', 'p')")
    assert message.endswith("pip install 'huse-bench[e]'")


def test_malformed_target_is_refused_without_an_import(install):
    assert "its target must be 'package.module:Class'" in _refused(install, "1 / 0", target="acme_m")
    assert "acme_m" not in sys.modules


@pytest.mark.parametrize(
    ("source", "group", "kind", "wanted"),
    [
        ("class L: pass", LOSSES, "loss", "huse_bench.Loss"),
        ("def L(batch): return {}", LOSSES, "loss", "huse_bench.Loss"),
        ("class L: pass", "huse_bench.datasets", "dataset", "huse_bench.Dataset"),
        (
            "from huse_bench import Dataset as L",
            "huse_bench.backbones",
            "backbone",
            "huse_bench.ImageBackbone or huse_bench.TextBackbone",
        ),
    ],
)
def test_wrong_base_class(install, source, group, kind, wanted):
    assert f"no class derived from {wanted}. " in _refused(install, source, group=group, kind=kind)


@pytest.mark.parametrize(
    ("api", "cure"),
    [("2", "Upgrade huse-bench"), ("0", "Upgrade acme"), ("None", "Upgrade acme"), ("'1'", "Upgrade acme")],
)
def test_unsupported_api_says_which_side_to_upgrade(install, api, cure):
    message = _refused(install, GAP.replace("title =", f"api = {api}; title =").replace("Gap(", "L("))
    assert f"written for version {api} of the plugin contract and this huse-bench has version 1. {cure}" in message


def test_abstract_class_names_the_missing_methods(install):
    message = _refused(
        install, "import huse_bench\nclass L(huse_bench.Dataset): pass", group="huse_bench.datasets", kind="dataset"
    )
    assert "the class does not define load. " in message


def test_examine_times_what_works_and_explains_what_does_not(install):
    install("acme", {LOSSES: {"acme-gap": "acme_gap:Gap", "acme-bad": "acme_bad:Bad"}}, acme_gap=GAP, acme_bad="1 / 0")
    good, bad = examine(find("loss", "acme-gap")), examine(find("loss", "acme-bad"))
    assert (good.status, good.error, good.import_ms > 0) == ("available", None, True)
    assert (bad.status, bad.import_ms) == ("broken", None)
    assert "ZeroDivisionError: division by zero" in bad.error


def test_examine_imports_nothing_that_is_switched_off(install, environment):
    install("acme", {LOSSES: {"acme-gap": "acme_gap:Gap"}}, acme_gap=GAP)
    environment(DISABLE_PLUGINS="acme")
    from huse_bench.discovery import components

    (record,) = [each for each in components("loss") if each.name == "acme-gap"]
    assert examine(record) == record
    assert "acme_gap" not in sys.modules


def test_source_hash_is_that_of_the_files_code(install):
    site = install("acme", {LOSSES: {"acme-gap": "acme_gap:Gap"}}, acme_gap=GAP)
    path = site / "acme_gap.py"
    before = source_hash(load("loss", "acme-gap"))
    assert before == source_digest({"acme_gap.py": path})
    path.write_text(GAP + "\n# seen\n")
    assert source_hash(load("loss", "acme-gap")) == before
    path.write_text(GAP + "\nSEEN = True\n")
    assert source_hash(load("loss", "acme-gap")) != before


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package in which one module imports another, in each of the ways that there are; gives its folder."""
    files = {
        "__init__": "from acme_pack.unrelated import x\nSHARE = 0.5\n",
        "loss": "import math, acme_pack.plain\nfrom .near import one\nfrom . import beside\n"
        "from acme_base import Base\nfrom acme_pack.inner.deep import rate\nfrom acme_pack.inner import shallow\n\n"
        "class Gap(Base):\n    def forward(self, batch):\n        from acme_pack import late\n",
        "near": "from acme_pack import further\none = 1\n",
        "inner/__init__": "shallow = 1\n",
        "inner/deep": "from ..up import rate\n",
        "unrelated": "x = 1\n",
        **dict.fromkeys(("plain", "beside", "late", "further"), ""),
        "up": "rate = 1\n",
    }
    for name, text in files.items():
        path = tmp_path / f"acme_pack/{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "acme_base.py").write_text("import abc, torch\nclass Base(torch.nn.Module, abc.ABC): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "acme_pack"
    for name in [name for name in sys.modules if name.startswith("acme_")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    "changed",
    ["near", "plain", "beside", "inner/__init__", "inner/deep", "late", "further", "up", "../acme_base", "loss"],
)
def test_what_a_class_imports_of_its_package_counts(package, changed):
    cls = importlib.import_module("acme_pack.loss").Gap
    before = source_hash(cls)
    with (package / f"{changed}.py").open("a") as file:
        file.write("\nseen = True\n")
    assert source_hash(cls) != before


def test_what_a_class_does_not_import_does_not_count(package):
    cls = importlib.import_module("acme_pack.loss").Gap
    before = source_hash(cls)
    (package / "unrelated.py").write_text("x = 2\n")
    (package / "other.py").write_text("x = 2\n")
    assert source_hash(cls) == before


@pytest.mark.usefixtures("package")
def test_the_place_of_a_package_does_not_count(tmp_path):
    before = source_hash(importlib.import_module("acme_pack.loss").Gap)
    for name in [name for name in sys.modules if name.startswith("acme_")]:
        del sys.modules[name]
    sys.path.insert(0, str(shutil.copytree(tmp_path, tmp_path / "elsewhere")))
    try:
        cls = importlib.import_module("acme_pack.loss").Gap
        assert "elsewhere" in sys.modules["acme_pack.loss"].__file__
        assert source_hash(cls) == before
    finally:
        sys.path.pop(0)


def test_source_hash_of_a_class_without_a_file_is_an_error():
    namespace = {"__name__": "__nowhere__"}
    exec("class Typed: pass", namespace)
    with pytest.raises(
        PluginError, match=r"source of __nowhere__.Typed cannot be read.*Define the class in a .py file"
    ):
        source_hash(namespace["Typed"])
