"""What pages take from the code when the site is built: what methods declare, and the command line."""

import inspect
from collections.abc import Iterator

import click
from docstrings import GOOGLE, Docstring
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from huse_bench import Choice, LogUniform, Loss, Uniform, load
from huse_bench.cli import cli
from huse_bench.components._docstring import summary_of
from huse_bench.discovery import components

_HEADS = {
    "none": "no classifier",
    "shared": "one linear classifier for both modalities",
    "separate": "a linear classifier for each modality",
    "cosine": "one classifier for both modalities, whose logits are cosines",
}


class MethodFacts(SphinxDirective):
    """``{method-facts} NAME``: what a loss declares, its parameters with their tuning space, and its documentation."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The nodes that the directive stands for."""
        name = self.arguments[0]
        loss = load("loss", name)
        self.env.note_dependency(inspect.getfile(loss))
        return self.parse_text_to_nodes("\n".join(_method(name, loss)))


class Methods(SphinxDirective):
    """``{methods}``: a table of the built-in losses in the order of the tables, each with a link to its page."""

    def run(self) -> list[nodes.Node]:
        """The nodes that the directive stands for."""
        built_in = {
            each.name: load("loss", each.name) for each in components("loss") if each.distribution == "huse-bench"
        }
        rows = [
            (
                f"[`{name}`]({name}.md)",
                loss.title.replace("*", r"\*"),
                summary_of(loss) or "",
                loss.section or "the paper's",
            )
            for name, loss in sorted(built_in.items(), key=lambda item: (item[1].section, item[1].position))
        ]
        return self.parse_text_to_nodes("\n".join(_table(("name", "in tables", "what it is", "section"), rows)))


class Commands(SphinxDirective):
    """``{commands}``: each command of the command line with what it takes, as ``--help`` says it."""

    def run(self) -> list[nodes.Node]:
        """The nodes that the directive stands for."""
        context = click.Context(cli, info_name="huse-bench")
        return self.parse_text_to_nodes("\n".join(_command(cli, context)), allow_section_headings=True)


def _method(name: str, loss: type[Loss]) -> Iterator[str]:
    yield from _table(
        ("it declares", ""),
        [
            ("name", f"`{name}`, built in" if loss.section else f"`{name}`, of the HUSE paper"),
            ("row of the tables", loss.title.replace("*", r"\*")),
            ("classifier", _HEADS[loss.heads]),
            ("dimension", "that of the class embeddings" if loss.embedding == "classes" else "free"),
            ("class graph", _class_graph(loss)),
            ("ranks by", loss.similarity),
        ],
    )
    meanings = _meanings(loss)
    parameters = list(inspect.signature(loss).parameters.values())
    if parameters:
        yield "\n**Parameters**\n"
        rows = [(f"`{p.name}`", f"`{p.default}`", _space(loss, p.name), meanings[p.name]) for p in parameters]
        yield from _table(("name", "default", "tuned over", "meaning"), rows)
    else:
        yield "\nIt has no parameters."
    for check, reason in loss.deviations.items():
        yield f"\nBy design it fails the check `{check}` of the conformance kit: {reason}."


def _class_graph(loss: type[Loss]) -> str:
    if not loss.semantic:
        return "not used"
    return "of the taxonomy that HP@K is measured against" if loss.class_graph == "taxonomy" else "of the class names"


def _space(loss: type[Loss], parameter: str) -> str:
    match loss.space.get(parameter):
        case LogUniform(low, high):
            return f"{low} to {high}, logarithmic"
        case Uniform(low, high):
            return f"{low} to {high}"
        case Choice() as choice:
            return ", ".join(map(str, choice.options))
        case _:
            return "not tuned"


def _meanings(loss: type[Loss]) -> dict[str, str]:
    """The documentation of each parameter, as autodoc would read it."""
    lines = Docstring(inspect.cleandoc(loss.__doc__ or ""), GOOGLE).lines()
    found: dict[str, str] = {}
    name = ""
    for line in lines:
        if line.startswith(":param "):
            name, _, text = line.removeprefix(":param ").partition(":")
            found[name] = text.strip()
        elif name and line.startswith(" "):
            found[name] += f" {line.strip()}"
        else:
            name = ""
    return {name: text.replace("``", "`") for name, text in found.items()}


def _command(command: click.Command, context: click.Context, level: int = 2) -> Iterator[str]:
    path = context.command_path
    yield f"\n{'#' * level} {path}\n"
    yield f"\n```console\n$ {path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    yield _escaped(inspect.cleandoc(command.help or "").replace("\b", ""))
    options = [_option(each, context) for each in command.get_params(context) if not getattr(each, "hidden", False)]
    yield ""
    yield from _table(("option", "meaning"), [option for option in options if option])
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner and not inner.hidden:
                yield from _command(inner, click.Context(inner, parent=context, info_name=name), min(level + 1, 4))


def _option(parameter: click.Parameter, context: click.Context) -> tuple[str, str] | None:
    record = parameter.get_help_record(context)
    # What an argument is, the sentences above say.
    if record is None or isinstance(parameter, click.Argument) or "--help" in parameter.opts:
        return None
    names, text = record
    return f"`{names}`", _escaped(text)


def _escaped(text: str) -> str:
    """Words such as <dataset> are no HTML, and a * is a star."""
    return text.replace("<", r"\<").replace("*", r"\*").replace("[", r"\[")


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    if rows:
        for row in (heads, ("---",) * len(heads), *rows):
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def setup(app: Sphinx) -> ExtensionMetadata:
    """What Sphinx calls."""
    app.add_directive("method-facts", MethodFacts)
    app.add_directive("methods", Methods)
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
