"""What every page has in common: templates that escape, and a policy under which nothing else runs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from huse_bench.errors import MissingExtraError
from huse_bench.report.html.texts import visible

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["environment_of", "policy", "refuse_without_jinja"]


def refuse_without_jinja() -> None:
    """Raise MissingExtraError where no page can be made."""
    try:
        import jinja2  # noqa: F401, PLC0415  an extra
    except ModuleNotFoundError as error:
        raise MissingExtraError("a report page", "report", "jinja2") from error


def environment_of(folder: Path) -> Environment:
    """Templates in which texts of strangers can do no harm.

    Args:
        folder: of the templates.

    Returns:
        The environment: it escapes, shows what steers writing, and fails where a name is missing.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  an extra

    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def policy(scripts: Iterable[str], styles: Iterable[str]) -> str:
    """Content-Security-Policy under which nothing runs or is drawn but what is on the page as it was written.

    Args:
        scripts: texts of the page's script elements.
        styles: texts of its style elements.

    Returns:
        The policy.
    """
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hashes(scripts)}",
            f"style-src {_hashes(styles)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hashes(texts: Iterable[str]) -> str:
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
