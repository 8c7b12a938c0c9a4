"""What a record may say in public: no place of this machine, no name of it or of its user.

A path from a root, a drive, a share, a home or the folder above becomes its place in the data's folder, in the working
folder or in its Python distribution, else the file's name. A relative path that stays inside of the working folder is
kept: it names nobody, and the command can be given again with it. Addresses of the net, but for a login in them, and
names such as ``org/model`` are no paths.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["Privacy"]

# How a path begins, that is none within the working folder.
_BEGIN = r"""(?:
    file:/+ | [A-Za-z]:[\\/] | \\\\+[\w.$?-]+\\ | ~(?:[A-Za-z_][\w.-]*)?[\\/]
    | \.\.[\\/] | (?:[\w.-]+[\\/]+)+\.\.[\\/] | /+(?=[\w.~@+%-])
)"""

# Where there are no quotes, a path ends at what seldom stands in one.
_PATH = re.compile(
    rf"""
    (?P<address>\b(?!file:)[a-zA-Z][a-zA-Z0-9+.-]{{1,20}}://[^\s"'`<>]*)
    | (?P<quote>["'`]) (?P<head>[\w.-]*[=:])?? (?P<quoted>{_BEGIN}[^\n]*?) (?P=quote)
    | (?<![\w/\\.~%@+-]) (?P<bare>{_BEGIN}[^\s"'`<>|*?,;:()\[\]{{}}]*)
    """,
    re.VERBOSE,
)

_LOGIN = re.compile(r"(?<=://)[^/\s@]+@")

# Names that tell nobody from others, and that texts are full of.
_COMMON = {
    *("admin", "administrator", "data", "docker", "guest", "home", "host", "huse", "linux", "local", "localhost"),
    *("nobody", "python", "root", "runner", "test", "ubuntu", "user", "windows"),
}

# What is said in words. Elsewhere a user's name may be that of a method or a class.
_SAID = ("audit", "config", "error", "provenance", "warnings")


class Privacy:
    """Makes texts public.

    Args:
        data: folder or file of the user's copy of the data, which paths may be said relative to.
        address: of a cluster.
    """

    def __init__(self, data: Path | None = None, address: str | None = None) -> None:
        found = {_slashed(str(root)): None for root in _roots(data)}
        self._roots = sorted((root for root in found if root.strip("/") and root[1:] != ":"), key=len, reverse=True)
        self._words = {
            **dict.fromkeys(_telling({address or ""}), "address"),
            **dict.fromkeys(_users(), "user"),
            **dict.fromkeys(_hosts(), "host"),
        }
        # The longest first, for a machine's name may begin another.
        names = "|".join(map(re.escape, sorted(self._words, key=len, reverse=True)))
        self._names = re.compile(rf"(?<![^\W_])(?:{names})(?![^\W_])" if names else r"(?!)")

    def record(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a record, where nothing is private.

        Args:
            fields: values by name, nested as they are; what is no string, list, tuple or mapping stays as it is.

        Returns:
            The same with public texts. Names of the user and the machine are looked for in what is said in words
            (error, warnings, provenance, audit, origins of settings), paths in every text.
        """
        return {name: self._walked(value, named=name in _SAID) for name, value in fields.items()}

    def text(self, text: str) -> str:
        """A text without private paths and names."""
        return self._names.sub(lambda match: self._words[match[0]], self.without_paths(text))

    def without_paths(self, text: str) -> str:
        """A text without private paths; it may be what the user calls something."""
        for root in self._roots:
            # Folders with spaces in their names, which no rule could tell from the words around them.
            if re.search(r"\s", root):
                parts = r"[\\/]+".join(re.escape(part) for part in root.split("/"))
                text = re.sub(rf"(?<![\w.-]){parts}[\\/]+", "", text)
        return _PATH.sub(self._replaced, text)

    def _walked(self, value: Any, *, named: bool) -> Any:
        if isinstance(value, str):
            return self.text(value) if named else self.without_paths(value)
        if isinstance(value, Path):
            return self._place(str(value))
        if isinstance(value, Mapping):
            return {key: self._walked(item, named=named) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)([self._walked(item, named=named) for item in value])
        return value

    def _replaced(self, match: re.Match[str]) -> str:
        if match["address"]:
            return _LOGIN.sub("", match["address"])
        if match["quoted"]:
            return f"{match['quote']}{match['head'] or ''}{self._place(match['quoted'])}{match['quote']}"
        path = match["bare"]
        # A full stop ends the sentence, not the path.
        end = path[len(path.rstrip(".")) :] if path.rstrip(".")[-1:] not in ("/", "\\", "") else ""
        return self._place(path.removesuffix(end)) + end

    def _place(self, path: str) -> str:
        """What is said of a path: where it is in a folder that may be known, else its name."""
        whole = _slashed(re.sub(r"^file:/+", "/", path))
        for root in self._roots:
            if _known(whole).startswith(_known(root) + "/"):
                return _inside(whole[len(root) + 1 :])
        if not whole.startswith(("/", "~", "..")) and whole[1:2] != ":":
            # Relative, and perhaps it only takes a way round.
            return path if not os.path.normpath(whole).startswith("..") else _inside(whole)
        return _inside(whole.rstrip("/").rpartition("/")[2])


def _slashed(path: str) -> str:
    return re.sub(r"[\\/]+", "/", path)


def _known(path: str) -> str:
    return path.casefold() if os.name == "nt" else path


def _inside(path: str) -> str:
    """A path within a folder; where it leads out of it again, its name."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return "/".join(parts) if ".." not in parts else next((part for part in reversed(parts) if part != ".."), "")


def _roots(data: Path | None) -> Iterator[Path]:
    """Folders that a path may be said relative to."""
    if data is not None:
        folder = data if data.is_dir() else data.parent
        yield from (folder.absolute(), folder.resolve())
    yield from (Path.cwd(), Path(__file__).parents[2])
    yield from (Path(path) for path in sysconfig.get_paths().values())
    yield from (Path(path).absolute() for path in sys.path if path)


def _hosts() -> set[str]:
    named = {socket.gethostname(), os.environ.get("HOSTNAME", ""), os.environ.get("COMPUTERNAME", "")}
    return _telling(named | {name.partition(".")[0] for name in named})


def _users() -> set[str]:
    named = {os.environ.get(variable, "") for variable in ("LOGNAME", "USER", "LNAME", "USERNAME")}
    # There may be no user of this number, and no home.
    with suppress(KeyError, OSError, ImportError, RuntimeError):
        named.add(getpass.getuser())
    with suppress(RuntimeError):
        named.add(Path.home().name)
    return _telling(named)


def _telling(names: set[str]) -> set[str]:
    return {name for name in names if len(name) > 2 and name.casefold() not in _COMMON}
