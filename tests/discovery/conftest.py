"""Real distributions, written on the fly and put on the Python path."""

import sys
from textwrap import dedent

import pytest

from huse_bench import discovery

_VARIABLES = ("HUSE_BENCH_PLUGINS", "HUSE_BENCH_DISABLE_PLUGINS", "HUSE_BENCH_STRICT_PLUGINS")


@pytest.fixture(autouse=True)
def fresh_discovery(monkeypatch):
    for variable in _VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    discovery.refresh()
    yield
    discovery.refresh()


@pytest.fixture
def environment(monkeypatch):
    """Set HUSE_BENCH_* variables and forget what was found before."""

    def set_variables(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(f"HUSE_BENCH_{name}", value)
        discovery.refresh()

    return set_variables


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Write a distribution with its entry points (group -> name -> target) and modules (name -> source)."""
    modules = set()

    def write(name, entry_points, version="1.0", **sources):
        site = tmp_path / f"site-{len(list(tmp_path.iterdir()))}"
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        sections = [
            "\n".join([f"[{group}]", *(f"{key} = {target}" for key, target in entries.items())])
            for group, entries in entry_points.items()
        ]
        (info / "entry_points.txt").write_text("\n\n".join(sections) + "\n")
        for module, source in sources.items():
            (site / f"{module}.py").write_text(dedent(source))
            modules.add(module)
        monkeypatch.syspath_prepend(site)
        discovery.refresh()
        return site

    yield write
    for module in modules:
        sys.modules.pop(module, None)
