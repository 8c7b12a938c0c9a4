import re
from pathlib import Path

import pluggy
import pytest

from huse_bench.discovery import hookspecs

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
