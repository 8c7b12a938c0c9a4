"""The record of a component or hook plugin, and how messages speak of it."""

import re
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "BUILTIN",
    "FILES",
    "GROUPS",
    "Component",
    "Kind",
    "Status",
    "canonical",
    "describe",
    "repair",
    "split_reference",
]

Kind = Literal["loss", "backbone", "dataset", "tracker"]
Status = Literal["available", "broken", "disabled", "conflict"]

# The reference may hold anything, also colons: a URL, a Windows path.
_REFERENCE = re.compile(r"(?P<name>(?:[^:]*::)?[^:]*)(?::(?P<reference>.*))?", re.DOTALL)

#: The distribution that the built-in plugins come with.
BUILTIN = "huse-bench"

#: The package that the single files of the plugins folder are modules of.
FILES = "huse_bench.dropin"

#: Entry-point group of each kind of component.
GROUPS: dict[Kind, str] = {
    "loss": "huse_bench.losses",
    "backbone": "huse_bench.backbones",
    "dataset": "huse_bench.datasets",
    "tracker": "huse_bench.trackers",
}


@dataclass(frozen=True)
class Component:
    """What is known of a component or hook plugin from metadata alone.

    Attributes:
        kind: what it is; ``"hooks"`` for a hook plugin.
        name: what a user asks for, normalised as in PEP 503.
        target: where it is, as ``"package.module:Class"``; for a hook plugin, as ``"package.module"``.
        distribution: who provides it, normalised as in PEP 503.
        version: version of the distribution.
        status: whether it can be asked for by its name.
        import_ms: milliseconds that importing it took, where it was imported.
        error: one line on what is wrong and how to change it, where the status is not ``"available"``.
    """

    kind: Kind | Literal["hooks"]
    name: str
    target: str
    distribution: str
    version: str
    status: Status = "available"
    import_ms: float | None = None
    error: str | None = None

    @property
    def is_file(self) -> bool:
        """Whether it is in a single file of the plugins folder, whose version is a hash of it."""
        return self.target.startswith(f"{FILES}.")

    @property
    def label(self) -> str:
        """What messages call it: its kind and name, who provides it, and where it is."""
        return f"{self.kind} {self.name!r} of {self.distribution}=={self.version} ({self.target})"


def split_reference(text: str) -> tuple[str, str | None]:
    """What names a component, and what stands behind the colon after it: ``hf-text:PATH``, ``acme::hf-text:PATH``."""
    match = _REFERENCE.fullmatch(text)
    assert match is not None
    return match["name"], match["reference"]


def canonical(name: str) -> str:
    """The PEP 503 form of a name: lower case, and one hyphen for each run of ``-``, ``_`` and ``.``."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def describe(error: BaseException) -> str:
    """The type and message of an exception, on one line."""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def repair(component: Component, error: BaseException | None = None) -> str:
    """What a user can do about a component that fails, given the exception where there is one."""
    change = f"upgrade, reinstall or uninstall {component.distribution}"
    own_package = component.target.partition(".")[0].partition(":")[0]
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.partition(".")[0] != own_package:
        return f"Install the missing module {error.name!r}, or {change}"
    return change.capitalize()
