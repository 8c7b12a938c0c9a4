import logging
from textwrap import dedent

import click
import pandas as pd
import pytest

from huse_bench.discovery import collect, find, inventory, notify
from huse_bench.errors import PluginError

GROUP = "huse_bench"
MARK = "import huse_bench\n@huse_bench.hookimpl\n"


@pytest.fixture
def plugin(install):
    """Install a distribution ``acme`` whose only hook plugin has one function, and return its record."""

    def write(source, mark="hookimpl"):
        source = f"import huse_bench\n@huse_bench.{mark}\n{dedent(source)}"
        install("acme", {GROUP: {"acme-hooks": "acme_hooks"}}, acme_hooks=source)
        (record,) = [each for each in inventory() if each.name == "acme-hooks"]
        return record

    return write


def test_huse_bench_register_components(plugin):
    plugin("def huse_bench_register_components(register): register('loss', 'Dyn_1', 'not_there:L')")
    found = find("loss", "dyn-1")
    assert (found.kind, found.target, found.distribution, found.version) == ("loss", "not_there:L", "acme", "1.0")


def test_huse_bench_register_commands(plugin):
    plugin("def huse_bench_register_commands(cli): cli.command('hello')(lambda: None)")
    group = click.Group()
    assert notify("huse_bench_register_commands", cli=group) == []
    assert list(group.commands) == ["hello"]


def test_huse_bench_configure(plugin):
    plugin("def huse_bench_configure(config): config['seen'] = True")
    config = {}
    assert notify("huse_bench_configure", config=config) == []
    assert config == {"seen": True}


def test_huse_bench_run_start(plugin):
    plugin("def huse_bench_run_start(spec): spec.append('started')")
    spec = []
    assert notify("huse_bench_run_start", spec=spec) == []
    assert spec == ["started"]


def test_huse_bench_run_measured(plugin):
    plugin("def huse_bench_run_measured(spec, step, losses, validation): spec.append((step, losses, validation))")
    spec = []
    told = {"step": 3, "losses": {"gap": 0.5}, "validation": {"i2t R@1": 0.25}}
    assert notify("huse_bench_run_measured", spec=spec, **told) == []
    assert spec == [(3, {"gap": 0.5}, {"i2t R@1": 0.25})]


def test_huse_bench_run_stopped(plugin):
    plugin("def huse_bench_run_stopped(spec): spec.append('stopped')")
    spec = []
    assert notify("huse_bench_run_stopped", spec=spec) == []
    assert spec == ["stopped"]


def test_huse_bench_run_finished(plugin):
    plugin("def huse_bench_run_finished(record): record.append('finished')")
    record = []
    assert notify("huse_bench_run_finished", record=record) == []
    assert record == ["finished"]


def test_huse_bench_run_failed(plugin):
    plugin("def huse_bench_run_failed(error, spec): spec.append(error)")
    spec, error = [], ValueError("x")
    assert notify("huse_bench_run_failed", spec=spec, error=error) == []
    assert spec == [error]


def test_huse_bench_provenance(plugin):
    plugin("def huse_bench_provenance(): return {'cluster': 'north'}")
    assert collect("huse_bench_provenance") == ([{"cluster": "north"}], [])


@pytest.mark.parametrize("returned", ["None", "['north']", "{'nodes': 2}", "{2: 'nodes'}"])
def test_provenance_that_no_record_can_hold_is_an_error_line(plugin, install, returned):
    plugin(f"def huse_bench_provenance(): return {returned}")
    install("good", {GROUP: {"good": "good_hooks"}}, good_hooks=MARK + "def huse_bench_provenance(): return {'a': 'b'}")
    results, (error,) = collect("huse_bench_provenance")
    assert results == [{"a": "b"}]
    assert "acme==1.0 (acme_hooks) failed in huse_bench_provenance: it must return strings by name in a dict" in error
    assert error.endswith(f"not {returned}. Upgrade, reinstall or uninstall acme")


def test_huse_bench_modify_table(plugin):
    plugin("def huse_bench_modify_table(table, name): table.insert(0, 'table', name)")
    table = pd.DataFrame({"R@1": [0.5]})
    assert notify("huse_bench_modify_table", table=table, name="table2") == []
    assert list(table.columns) == ["table", "R@1"]
    assert table["table"].tolist() == ["table2"]


def test_a_function_may_take_fewer_arguments(plugin):
    plugin("def huse_bench_run_failed(spec): spec.append('failed')")
    spec = []
    notify("huse_bench_run_failed", spec=spec, error=ValueError())
    assert spec == ["failed"]


@pytest.mark.parametrize(
    ("raised", "shown"), [("ValueError('bo\\n om')", "ValueError: bo om"), ("SystemExit", "SystemExit")]
)
def test_an_observer_that_raises_stops_no_other(plugin, install, raised, shown):
    plugin(f"def huse_bench_run_finished(record): raise {raised}")
    for name in ("aa", "zz"):
        source = MARK + "def huse_bench_run_finished(record): record.append(__name__)"
        install(name, {GROUP: {name: f"{name}_hooks"}}, **{f"{name}_hooks": source})
    record = []
    (error,) = notify("huse_bench_run_finished", record=record)
    assert error == (
        f"hooks 'acme-hooks' of acme==1.0 (acme_hooks) failed in huse_bench_run_finished: {shown}. "
        "Upgrade, reinstall or uninstall acme, or set HUSE_BENCH_DISABLE_PLUGINS=acme-hooks"
    )
    assert sorted(record) == ["aa_hooks", "zz_hooks"]


def test_an_observer_that_raises_is_an_error_when_strict(plugin, environment):
    plugin("def huse_bench_run_finished(record): raise ValueError('boom')")
    environment(STRICT_PLUGINS="1")
    with pytest.raises(PluginError, match=r"acme==1.0 .* failed in huse_bench_run_finished: ValueError: boom") as error:
        notify("huse_bench_run_finished", record=None)
    assert isinstance(error.value.__cause__, ValueError)


def test_plugins_are_called_in_the_order_they_ask_for(install):
    for name, order in (("aa", "trylast=True"), ("bb", "tryfirst=False"), ("cc", "tryfirst=True")):
        source = (
            f"import huse_bench\n@huse_bench.hookimpl({order})\ndef huse_bench_provenance(): return {{'by': '{name}'}}"
        )
        install(name, {GROUP: {name: f"{name}_hooks"}}, **{f"{name}_hooks": source})
    assert [facts["by"] for facts in collect("huse_bench_provenance")[0]] == ["cc", "bb", "aa"]


@pytest.mark.parametrize(
    ("source", "mark", "cause"),
    [
        ("def huse_bench_configure(config): pass\nraise SystemExit('no')", "hookimpl", "SystemExit: no. Upgrade"),
        ("def huse_bench_configure(config): pass\n1 / 0", "hookimpl", "ZeroDivisionError: division by zero. Upgrade"),
        (
            "def huse_bench_run_strat(spec): pass",
            "hookimpl",
            "is no hook of this huse-bench; did you mean 'huse_bench_run_start'",
        ),
        ("def huse_bench_run_start(sepc): pass", "hookimpl", "sepc"),
        ("def huse_bench_run_start(spec): yield", "hookimpl(wrapper=True)", "huse_bench_run_start is a wrapper"),
        ("def huse_bench_run_start(spec): yield", "hookimpl(hookwrapper=True)", "huse_bench_run_start is a wrapper"),
        ("def huse_bench_run_start(spec): pass\ndel huse_bench_run_start", "hookimpl", "it implements no hook"),
    ],
)
def test_a_broken_hook_plugin_is_one_line_and_not_called(plugin, caplog, source, mark, cause):
    record = plugin(source, mark)
    assert record.status == "broken"
    assert record.error.startswith("hooks 'acme-hooks' of acme==1.0 (acme_hooks) cannot be loaded: ")
    assert cause in record.error
    assert [(each.levelno, each.getMessage()) for each in caplog.records] == [
        (logging.WARNING, f"huse-bench: warning: {record.error}")
    ]
    assert "\n" not in record.error
    assert notify("huse_bench_run_start", spec=[]) == []


def test_a_plugin_with_one_wrong_hook_is_not_called_for_its_others(plugin):
    mark = "\n@huse_bench.hookimpl\n"
    record = plugin("def huse_bench_run_start(spec): spec.append(1)" + mark + "def huse_bench_run_end(): pass")
    assert "huse_bench_run_end is no hook of this huse-bench" in record.error
    spec = []
    assert notify("huse_bench_run_start", spec=spec) == []
    assert spec == []


def test_an_optional_hook_of_another_plugin_is_allowed(plugin):
    assert (
        plugin("def other_tool_hook(): pass", "hookimpl(optionalhook=True, specname='huse_bench_x')").status
        == "available"
    )


def test_two_plugins_of_one_name_are_both_called(install):
    for name in ("aa", "bb"):
        source = MARK + f"def huse_bench_provenance(): return {{'by': '{name}'}}"
        install(name, {GROUP: {"tracker": f"{name}_hooks"}}, **{f"{name}_hooks": source})
    assert sorted(facts["by"] for facts in collect("huse_bench_provenance")[0]) == ["aa", "bb"]


def test_registering_that_fails_leaves_the_components_of_others(plugin, install):
    install("good", {"huse_bench.losses": {"good-l": "good_m:L"}})
    record = plugin("def huse_bench_register_components(register): register('losses', 'x', 'm:X')")
    assert record.status == "broken"
    assert "component 'x' is registered as a 'losses'; did you mean 'loss'?" in record.error
    assert find("loss", "good-l").status == "available"
