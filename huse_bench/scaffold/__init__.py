"""New plugin projects from templates: installable, tested as generated, and small enough to be read at once."""

from __future__ import annotations

import keyword
import re
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Literal, get_args

from huse_bench.errors import UsageError
from huse_bench.version import installed_version

__all__ = ["ProjectKind", "new_project"]

#: What a new project provides.
ProjectKind = Literal["loss", "backbone", "dataset", "hooks"]

_GROUPS: dict[ProjectKind, str] = {
    "loss": "huse_bench.losses",
    "backbone": "huse_bench.backbones",
    "dataset": "huse_bench.datasets",
    "hooks": "huse_bench",
}
_ARTICLES: dict[ProjectKind, str] = {"loss": "A", "backbone": "A", "dataset": "A", "hooks": "Plugin"}


def new_project(kind: ProjectKind, name: str, parent: Path) -> list[Path]:
    """Write a new plugin project to the folder ``<parent>/<name>``.

    Args:
        kind: what it provides.
        name: of the distribution and of the component, such as ``"my-loss"``.
        parent: an existing folder.

    Returns:
        The files.

    Raises:
        UsageError: if the name cannot be one, or something is there already; nothing is written then.
    """
    assert kind in get_args(ProjectKind)
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UsageError(f"{name!r} cannot be the plugin's name: use lower-case words with hyphens between, as my-loss")
    module = name.replace("-", "_")
    if keyword.iskeyword(module):
        raise UsageError(f"{name!r} cannot be the plugin's name: {module} is a word of Python")
    folder = parent / name
    if folder.exists():
        raise UsageError(f"{folder} exists already: choose another name, or move it away")
    if not parent.is_dir():
        raise UsageError(f"the folder {parent} does not exist: make it first")
    words = {
        "kind": kind,
        "article": _ARTICLES[kind],
        "name": name,
        "module": module,
        "class_name": "".join(word.capitalize() for word in name.split("-")),
        "title": name.replace("-", " ").capitalize(),
        "group": _GROUPS[kind],
        "version": installed_version(),
    }
    words["target"] = module if kind == "hooks" else f"{module}:{words['class_name']}"
    words["usage"] = _filled(f"{kind}/usage", words)
    contents = {
        "pyproject.toml": _filled("common/pyproject.toml", words),
        "README.md": _filled("common/README.md", words),
        ".gitignore": _filled("common/gitignore", words),
        ".github/workflows/test.yml": _filled("common/test.yml", words),
        f"{module}.py": _filled(f"{kind}/module.py", words),
        f"test_{module}.py": _filled(f"{kind}/test.py", words),
    }
    for path, text in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return [folder / path for path in contents]


def _filled(template: str, words: dict[str, str]) -> str:
    text = files("huse_bench.scaffold").joinpath("templates", f"{template}.tmpl").read_text(encoding="utf-8")
    return Template(text).substitute(words)
