import pytest

from huse_bench.discovery import components, find, inventory, notify
from huse_bench.errors import PluginLoadError, UnknownComponentError, UsageError

LOSSES = "huse_bench.losses"
HOOKS = "import huse_bench\n@huse_bench.hookimpl\ndef huse_bench_configure(config): config.append(__name__)"


@pytest.fixture(autouse=True)
def installed(install):
    install("huse-bench", {LOSSES: {"own": "own_m:L"}})
    install(
        "acme",
        {LOSSES: {"acme-l": "acme_m:L"}, "huse_bench": {"acme-log": "acme_log", "acme-bot": "acme_bot"}},
        acme_log=HOOKS,
        acme_bot=HOOKS,
    )
    install("bolt", {LOSSES: {"bolt-l": "bolt_m:L"}, "huse_bench": {"bolt": "bolt_hooks"}}, bolt_hooks=HOOKS)


def _on():
    used = {each.name for each in inventory() if each.status == "available"}
    called = []
    notify("huse_bench_configure", config=called)
    assert {name.replace("_", "-").replace("bolt-hooks", "bolt") for name in called} <= used
    return used, set(called)


def test_all_is_used_by_default():
    used, called = _on()
    assert used >= {"own", "acme-l", "acme-log", "acme-bot", "bolt-l", "bolt"}
    assert called >= {"acme_log", "acme_bot", "bolt_hooks"}


def test_only_the_named_and_the_built_in_ones(environment):
    environment(PLUGINS="Bolt")
    assert _on() == ({"own", "bolt-l", "bolt"}, {"bolt_hooks"})


def test_an_empty_list_means_the_built_in_ones(environment):
    environment(PLUGINS="")
    assert _on() == ({"own"}, set())


def test_a_hook_plugin_can_be_named_without_the_rest_of_its_distribution(environment):
    environment(PLUGINS=" acme_bot ,")
    assert _on() == ({"own", "acme-bot"}, {"acme_bot"})


def test_disabling_a_distribution_disables_all_of_it(environment):
    environment(DISABLE_PLUGINS="acme")
    used, called = _on()
    assert not used & {"acme-l", "acme-log", "acme-bot"}
    assert called >= {"bolt_hooks"}


def test_disabling_a_hook_plugin_leaves_the_rest(environment):
    environment(DISABLE_PLUGINS="acme-log")
    used, _ = _on()
    assert "acme-log" not in used
    assert used >= {"acme-l", "acme-bot"}


def test_disabling_wins_over_naming(environment):
    environment(PLUGINS="acme,bolt", DISABLE_PLUGINS="acme")
    assert _on()[0] == {"own", "bolt-l", "bolt"}


def test_what_is_switched_off_is_listed_with_the_variable_that_did_it(environment):
    environment(PLUGINS="bolt", DISABLE_PLUGINS="bolt")
    errors = {each.name: each.error for each in components("loss") if each.status == "disabled"}
    assert errors["bolt-l"] == "switched off: it is named in HUSE_BENCH_DISABLE_PLUGINS"
    assert errors["acme-l"] == "switched off: HUSE_BENCH_PLUGINS is set and does not name it"


def test_asking_for_what_is_switched_off_says_so(environment):
    environment(DISABLE_PLUGINS="acme")
    with pytest.raises(UnknownComponentError, match=r"acme==1.0 .*HUSE_BENCH_DISABLE_PLUGINS. Change that variable"):
        find("loss", "acme-l")


@pytest.mark.parametrize("variable", ["PLUGINS", "DISABLE_PLUGINS"])
def test_an_unknown_name_is_an_error(environment, variable):
    environment(**{variable: "acme,blot"})
    with pytest.raises(UsageError, match=rf"HUSE_BENCH_{variable} names 'blot'.*did you mean 'bolt'\? Known: acme, "):
        components()


@pytest.mark.parametrize("value", ["", "0"])
def test_strict_is_off(environment, install, value):
    install("crash", {"huse_bench": {"crash": "crash_hooks"}}, crash_hooks="1 / 0")
    environment(STRICT_PLUGINS=value)
    assert "own" in [each.name for each in components()]


def test_strict_makes_a_broken_hook_plugin_an_error_but_still_lists_it(environment, install):
    install("crash", {"huse_bench": {"crash": "crash_hooks"}}, crash_hooks="1 / 0")
    environment(STRICT_PLUGINS="1")
    for ask in (components, lambda: find("loss", "own"), lambda: notify("huse_bench_configure", config=[])):
        with pytest.raises(
            PluginLoadError, match=r"hooks 'crash' of crash==1.0 \(crash_hooks\) cannot be loaded: Zero"
        ):
            ask()
    assert "broken" in [each.status for each in inventory()]


def test_strict_takes_no_other_value(environment):
    environment(STRICT_PLUGINS="yes")
    with pytest.raises(UsageError, match=r"HUSE_BENCH_STRICT_PLUGINS must be 1 .* or 0 .*, got 'yes'"):
        components()
