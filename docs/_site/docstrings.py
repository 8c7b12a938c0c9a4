"""How the reference reads docstrings and signatures, and finds what they name."""

import inspect

from docutils import nodes
from pydantic import BaseModel
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import Config, GoogleDocstring
from sphinx.util.nodes import make_refnode
from sphinx.util.typing import ExtensionMetadata

GOOGLE = Config(napoleon_use_ivar=True, napoleon_attr_annotations=False, napoleon_custom_sections=["Reference"])


class Docstring(GoogleDocstring):
    """Google's style, where what is returned and what a property is have their type in the annotation alone."""

    def _consume_returns_section(self, preprocess_types: bool = False) -> list[tuple[str, str, list[str]]]:  # noqa: ARG002
        return [("", "", self._dedent(self._consume_to_next_section()))]

    def _parse_attribute_docstring(self) -> list[str]:
        return self._consume_to_end()


def _docstring(app: Sphinx, what: str, name: str, documented: object, options: object, lines: list[str]) -> None:
    lines[:] = Docstring(lines, GOOGLE, app, what, name, documented, options).lines()


def _is_left_out(
    _app: Sphinx, _what: str, _name: str, documented: object, _skip: bool, _options: object
) -> bool | None:
    """A field of a named tuple says that it is the field: its class says what it holds."""
    return True if (inspect.getdoc(documented) or "").startswith("Alias for field number") else None


def _signature(
    _app: Sphinx, _what: str, _name: str, documented: object, _options: object, *signature: str | None
) -> tuple[str | None, ...]:
    """None of pydantic's models, which are read from files and have their fields documented."""
    is_model = isinstance(documented, type) and issubclass(documented, BaseModel)
    return ("", None) if is_model else signature


def _public_name(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, text: nodes.TextElement
) -> nodes.Element | None:
    """The documentation of a name that an annotation or a docstring gives by the module that it is defined in."""
    if node.get("refdomain") != "py":
        return None
    domain = env.domains.python_domain
    assert isinstance(domain, PythonDomain)
    last = node["reftarget"].rpartition(".")[2]
    found = {name: entry for name, entry in domain.objects.items() if name.rpartition(".")[2] == last}
    if len(found) != 1:
        return None
    ((name, entry),) = found.items()
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, text, name)


def setup(app: Sphinx) -> ExtensionMetadata:
    """What Sphinx calls."""
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("autodoc-skip-member", _is_left_out)
    app.connect("autodoc-process-signature", _signature)
    app.connect("missing-reference", _public_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
