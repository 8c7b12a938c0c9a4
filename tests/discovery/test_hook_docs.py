import re
from pathlib import Path
from typing import get_type_hints

import pluggy
import pytest

from huse_bench import RunConfig
from huse_bench.discovery import hookspecs
from huse_bench.discovery.hookspecs import PlannedMethod, PlannedRun
from huse_bench.runs.methods import Method
from huse_bench.runs.plan import RunSpec

ROOT = Path(__file__).parents[2]
HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("huse_bench_"))
DOCS = (ROOT / "docs" / "hooks.md").read_text()
SECTIONS = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", DOCS, flags=re.MULTILINE | re.DOTALL))


def test_there_are_ten_hooks_at_most():
    assert 0 < len(HOOKS) <= 10


def test_the_page_documents_the_hooks_and_no_others():
    assert sorted(SECTIONS) == HOOKS


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_has_a_test(hook):
    assert f"def test_{hook}(" in (Path(__file__).parent / "test_hooks.py").read_text()


@pytest.mark.parametrize("hook", HOOKS)
def test_each_example_is_a_plugin(hook):
    (example,) = re.findall(r"```python\n(.*?)```", SECTIONS[hook], flags=re.DOTALL)
    namespace = {}
    exec(compile(example, "docs/hooks.md", "exec"), namespace)
    manager = pluggy.PluginManager("huse_bench")
    manager.add_hookspecs(hookspecs)
    plugin = type("Example", (), {hook: staticmethod(namespace[hook])})
    manager.register(plugin)
    manager.check_pending()
    assert [caller.name for caller in manager.get_hookcallers(plugin)] == [hook]


def _told(protocol):
    properties = {name: value for name, value in vars(protocol).items() if isinstance(value, property)}
    known = {"RunConfig": RunConfig}
    return {name: get_type_hints(value.fget, localns=known)["return"] for name, value in properties.items()}


def test_a_run_has_what_a_hook_is_told_of_it():
    run, method = _told(PlannedRun), _told(PlannedMethod)
    assert run.pop("method") is PlannedMethod
    assert get_type_hints(RunSpec)["method"] is Method
    assert run.items() <= get_type_hints(RunSpec).items()
    assert method.items() <= get_type_hints(Method).items()


def test_the_page_tells_what_a_hook_may_read_of_a_run():
    rows = re.findall(r"^\| (`.*?) \|", SECTIONS["huse_bench_run_start"], flags=re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([\w.]+)`", row)}
    assert named == (set(_told(PlannedRun)) - {"method"}) | {f"method.{name}" for name in _told(PlannedMethod)}
