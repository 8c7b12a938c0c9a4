import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = [ROOT / "huse_bench", *sorted(ROOT.glob("plugins/huse_bench_*"))]


def _modules():
    """The source of each module by its name; of a package, that of its __init__.py."""
    found = {}
    for package in PACKAGES:
        for path in package.rglob("*.py"):
            parts = path.relative_to(package.parent).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return found


def _imported(source, modules):
    """Those of the modules that a source imports anywhere: at the top, for types alone, or inside a function."""
    names = set()
    for statement in ast.walk(ast.parse(source)):
        if isinstance(statement, ast.Import):
            names |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            assert statement.level == 0, "imports are absolute here"
            of = {f"{statement.module}.{alias.name}" for alias in statement.names}
            # What is no module is a name of the one it is imported from.
            names |= {name if name in modules else statement.module for name in of}
    return names & set(modules)


def test_imports_are_found_wherever_they_stand():
    modules = dict.fromkeys(("a", "a.b", "a.c", "a.d", "a.e", "a.f"), "")
    source = """
import os
from a import b, name
from a.c import other
if TYPE_CHECKING:
    import a.d
def late():
    from a.e import another
"""
    assert _imported(source, modules) == {"a", "a.b", "a.c", "a.d", "a.e"}


def test_no_module_imports_what_imports_it():
    modules = _modules()
    assert {"huse_bench", "huse_bench.runs.plan", "huse_bench_losses.huse"} <= set(modules)
    graph = {name: _imported(source, modules) for name, source in modules.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError("each imports the next: " + " -> ".join(reversed(error.args[1]))) from None
