"""Which files a component's class is made of: its own, those of its bases, and what these import of their package."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from huse_bench.discovery._component import FILES

__all__ = ["sources_of"]

# Whose code is none of a plugin's. The core's counts by itself.
_OTHERS = {"abc", "builtins", "huse_bench", "torch", "typing"}


def sources_of(cls: type) -> dict[str, Path]:
    """The Python files that a class of a plugin depends on, as far as its text tells.

    These are the file that defines it, those of the classes that it derives from, and the modules of its package that
    they import, at the top or inside of functions; not the core, and no other package.

    Args:
        cls: the class.

    Returns:
        The files by their place in their package.

    Raises:
        OSError, TypeError: if no file defines the class.
    """
    found: dict[str, Path] = {}
    for base in cls.__mro__:
        package = _package(base.__module__)
        if base is not cls and package in _OTHERS:
            continue
        path = Path(inspect.getsourcefile(base) or inspect.getfile(base))
        inside = base.__module__.removeprefix(package).strip(".")
        is_package = path.name == "__init__.py"
        up = len(inside.split(".")) - (not is_package) if inside else 0
        root = path.parents[up] if inside or is_package else path.parent
        _follow(package, path, root, found, alone=not inside and not is_package)
    return found


def _package(module: str) -> str:
    return FILES if module.startswith(f"{FILES}.") else module.partition(".")[0]


def _follow(package: str, path: Path, root: Path, found: dict[str, Path], *, alone: bool) -> None:
    name = path.name if alone else f"{package}/{path.relative_to(root).as_posix()}"
    if name in found:
        return
    found[name] = path
    if not alone:
        for imported in _imported(path, package, root):
            _follow(package, imported, root, found, alone=False)


def _imported(path: Path, package: str, root: Path) -> Iterator[Path]:
    """The files of a package's modules that one of its files imports."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return
    here = [package, *path.relative_to(root).parent.parts]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from filter(None, (_file(alias.name, package, root) for alias in node.names))
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: len(here) - node.level + 1]) if node.level else ""
            origin = ".".join(filter(None, (base, node.module)))
            # What is no module is a name in the package's own file, which is asked for that alone.
            modules = [_file(f"{origin}.{alias.name}", package, root) for alias in node.names]
            yield from filter(None, [module or _file(origin, package, root) for module in modules])


def _file(module: str, package: str, root: Path) -> Path | None:
    if module != package and not module.startswith(f"{package}."):
        return None
    inside = root.joinpath(*module.split(".")[package.count(".") + 1 :])
    for path in (inside.parent / f"{inside.name}.py", inside / "__init__.py"):
        if path.is_file() and path.is_relative_to(root):
            return path
    return None
