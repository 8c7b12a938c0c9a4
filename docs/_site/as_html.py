"""Formulae as MathML, which needs no script and no network, and links to what the site has not."""

import re
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from myst_parser.sphinx_ext.myst_refs import MystReferenceResolver
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.typing import ExtensionMetadata
from sphinx.writers.html5 import HTML5Translator


def _mathml(node: nodes.math | nodes.math_block, as_block: bool = False) -> str:
    # Browsers stretch the bars of a norm to the height of the whole line, sums included.
    return re.sub(r"<mo([^>]*)>‖</mo>", r'<mo\1 stretchy="false">‖</mo>', tex2mathml(node.astext(), as_block))


def _inline_math(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(_mathml(node))
    raise nodes.SkipNode


def _block_math(translator: HTML5Translator, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="formula">{_mathml(node, as_block=True)}</div>')
    raise nodes.SkipNode


class LinksToFolders(SphinxPostTransform):
    """A link to a folder of the repository, which a code host shows and the site has not, is its text."""

    default_priority = MystReferenceResolver.default_priority - 1

    def run(self, **_: object) -> None:
        """Replace the links of one page."""
        for link in list(self.document.findall(addnodes.pending_xref)):
            target = link.get("reftarget", "")
            if target and (Path(self.env.doc2path(link.get("refdoc", self.env.docname))).parent / target).is_dir():
                link.replace_self(link.children)


def setup(app: Sphinx) -> ExtensionMetadata:
    """What Sphinx calls."""
    app.add_html_math_renderer("mathml", (_inline_math, None), (_block_math, None))
    app.add_post_transform(LinksToFolders)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
