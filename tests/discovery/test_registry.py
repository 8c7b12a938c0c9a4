import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from huse_bench.discovery import Component, components, find, inventory
from huse_bench.discovery._component import canonical
from huse_bench.errors import PluginConflictError, UnknownComponentError, UsageError

LOSSES = "huse_bench.losses"


def test_record_is_built_from_metadata_and_imports_nothing(install):
    install("acme", {LOSSES: {"acme-gap": "acme_gap:Gap"}}, version="2.1", acme_gap="raise RuntimeError")
    assert find("loss", "acme-gap") == Component("loss", "acme-gap", "acme_gap:Gap", "acme", "2.1", "available")
    assert "acme_gap" not in sys.modules


def test_each_group_is_its_kind(install):
    install(
        "acme",
        {
            LOSSES: {"acme-l": "acme_m:L"},
            "huse_bench.backbones": {"acme-b": "acme_m:B"},
            "huse_bench.datasets": {"acme-d": "acme_m:D"},
        },
    )
    kinds = {each.name: each.kind for each in components() if each.distribution == "acme"}
    assert kinds == {"acme-l": "loss", "acme-b": "backbone", "acme-d": "dataset"}
    assert "acme-d" in [each.name for each in components("dataset")]
    assert "acme-l" not in [each.name for each in components("dataset")]


@given(st.text(alphabet="aB9-_.", min_size=1, max_size=12))
def test_names_are_normalised_as_pep_503(name):
    assert canonical(name) == canonicalize_name(name)


def test_case_and_separators_make_no_difference(install):
    install("Acme_Labs", {LOSSES: {"My_Gap.Loss": "acme_m:L"}})
    assert find("loss", "MY-gap_loss").name == "my-gap-loss"
    assert find("loss", "acme.LABS::my_gap_loss").distribution == "acme-labs"


def test_records_are_sorted_whatever_the_path_order(install):
    install("zeta", {LOSSES: {"zz-a": "m:A"}})
    install("alpha", {LOSSES: {"zz-b": "m:B", "zz-a2": "m:A"}})
    assert [each.name for each in components("loss") if each.name.startswith("zz")] == ["zz-a", "zz-a2", "zz-b"]


def test_unknown_name_suggests_the_closest_and_lists_all(install):
    install("acme", {LOSSES: {"acme-gap": "acme_m:L", "acme-other": "acme_m:M"}})
    with pytest.raises(UnknownComponentError) as error:
        find("loss", "acme-gapp")
    assert "no loss is named 'acme-gapp'; did you mean 'acme-gap'? Known: " in str(error.value)
    assert "acme-other" in str(error.value)


def test_unknown_qualified_name_suggests_qualified_names(install):
    install("acme", {LOSSES: {"acme-gap": "acme_m:L"}})
    with pytest.raises(UnknownComponentError, match="did you mean 'acme::acme-gap'"):
        find("loss", "acne::acme-gap")


def test_unknown_kind_is_an_error_that_lists_the_kinds():
    with pytest.raises(UsageError, match=r"'losses'; did you mean 'loss'. Known: backbone, dataset, loss"):
        components("losses")


def test_nothing_installed_says_to_install_huse_bench(monkeypatch, tmp_path):
    # An empty stand-in hides the installed huse-bench; entry points are looked up once a distribution name.
    info = tmp_path / "huse_bench-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: huse-bench\nVersion: 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnknownComponentError, match=r"no dataset is installed. Install huse-bench itself"):
        find("dataset", "emoji")


def test_two_distributions_with_one_name_conflict(install):
    install("acme", {LOSSES: {"gap-x": "acme_m:L"}})
    install("bolt", {LOSSES: {"Gap_X": "bolt_m:L"}}, version="3")
    with pytest.raises(PluginConflictError) as error:
        find("loss", "gap-x")
    message = str(error.value)
    assert "acme==1.0 (acme_m:L)" in message
    assert "bolt==3 (bolt_m:L)" in message
    assert "'acme::gap-x' or 'bolt::gap-x'" in message
    assert find("loss", "bolt::gap-x").target == "bolt_m:L"
    assert [each.status for each in components("loss") if each.name == "gap-x"] == ["conflict", "conflict"]


def test_a_built_in_is_not_shadowed(install):
    install("huse-bench", {LOSSES: {"huse": "builtin_m:Huse"}}, version="0.1.0")
    install("acme", {LOSSES: {"huse": "acme_m:Huse"}})
    with pytest.raises(PluginConflictError, match=r"acme==1.0 .* and by huse-bench==0.1.0"):
        find("loss", "huse")
    assert find("loss", "huse-bench::huse").target == "builtin_m:Huse"


def test_switching_one_off_ends_a_conflict(install, environment):
    install("acme", {LOSSES: {"gap-x": "acme_m:L"}})
    install("bolt", {LOSSES: {"gap-x": "bolt_m:L"}})
    environment(DISABLE_PLUGINS="bolt")
    assert (find("loss", "gap-x").distribution, find("loss", "gap-x").status) == ("acme", "available")


def test_a_class_named_by_an_entry_point_and_by_a_hook_is_one_component(install):
    hooks = """
        import huse_bench

        @huse_bench.hookimpl
        def huse_bench_register_components(register):
            register("loss", "gap_x", "acme_m:L")
    """
    install("acme", {LOSSES: {"gap-x": "acme_m:L"}, "huse_bench": {"acme": "acme_hooks"}}, acme_hooks=hooks)
    assert find("loss", "gap-x").status == "available"


def test_one_distribution_twice_on_the_path_is_no_conflict(install):
    install("acme", {LOSSES: {"gap-x": "acme_m:L"}}, version="1.0")
    install("Acme", {LOSSES: {"gap-x": "acme_m:L"}}, version="1.1")
    found = find("loss", "gap-x")
    assert (found.version, found.status) == ("1.1", "available")


def test_one_distribution_with_one_name_for_two_classes_is_told_apart_by_target(install):
    install("acme", {LOSSES: {"gap-x": "acme_m:L", "gap_x": "acme_m:M"}})
    with pytest.raises(PluginConflictError, match="Ask the authors of acme to rename one"):
        find("loss", "acme::gap-x")


def test_malformed_target_is_broken_without_an_import(install):
    install("acme", {LOSSES: {"gap-x": "acme_m", "gap-y": "acme_m:L"}})
    broken = find("loss", "gap-x")
    assert broken.status == "broken"
    assert "acme==1.0 (acme_m) cannot be loaded: its target must be 'package.module:Class'" in broken.error
    assert find("loss", "gap-y").status == "available"


def test_a_half_installed_distribution_is_no_traceback(install):
    site = install("acme", {LOSSES: {"gap-x": "acme_m:L"}})
    (site / "acme-1.0.dist-info" / "METADATA").unlink()
    assert (find("loss", "gap-x").distribution, find("loss", "gap-x").version) == ("unknown", "unknown")


def test_inventory_has_components_and_hook_plugins(install):
    install("acme", {LOSSES: {"gap-x": "acme_m:L"}, "huse_bench": {"acme": "acme_gone"}})
    mine = [each for each in inventory() if each.distribution == "acme"]
    assert [(each.kind, each.name, each.status) for each in mine] == [
        ("loss", "gap-x", "available"),
        ("hooks", "acme", "broken"),
    ]
