"""``huse-bench figures``: the figures of results, as files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from huse_bench.cli._folders import folders_of, folders_options

if TYPE_CHECKING:
    from huse_bench.report.figures import Drawn
    from huse_bench.results import Results

__all__ = ["figures"]


def _listed(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(part.strip() for part in value.split(",") if part.strip())


@click.command()
@folders_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("figures"),
    show_default=True,
    help="Folder to write them to; made where there is none.",
)
@click.option(
    "--format",
    "formats",
    default="png,svg,pdf",
    show_default=True,
    metavar="A,B,...",
    callback=_listed,
    help="Formats of the files.",
)
@click.option("--only", metavar="A,B,...", callback=_listed, help="Only these figures, such as forest-recall,cost.")
def figures(
    folders: tuple[Path, ...],
    dataset: list[str],
    results: tuple[Path, ...],
    output: Path,
    formats: tuple[str, ...],
    only: tuple[str, ...] | None,
) -> None:
    """Draw figures of finished runs: methods, curves, classes, distances, cost, tuning.

    FOLDER is a results folder, or a bundle of them; default: results/emoji. Of several, each one's figures go to a
    folder of their own, and those of all data sets together beside these. Names of the files go to standard output. A
    figure that the runs do not hold the numbers of is left out, and standard error says why.
    """
    # Pandas and matplotlib load only once the command line was understood.
    from huse_bench.errors import ResultsError, UsageError  # noqa: PLC0415
    from huse_bench.files import write_atomically  # noqa: PLC0415
    from huse_bench.report.figures.writing import FORMATS, figure_bytes  # noqa: PLC0415
    from huse_bench.results import load_results  # noqa: PLC0415

    unknown = [form for form in formats if form not in FORMATS]
    if unknown or not formats:
        raise UsageError(
            f"--format takes {', '.join(FORMATS)}, with commas between; got {', '.join(unknown) or 'none'}"
        )
    places = folders_of(folders, results, dataset)
    loaded = [load_results(place) for place in places]
    for each in loaded:
        for problem in each.problems:
            click.echo(f"huse-bench: left out: {problem}", err=True)
    contents: dict[Path, bytes] = {}
    for place, figure in _drawn(loaded, only):
        if isinstance(figure, str):
            click.echo(f"huse-bench: no figure {figure}", err=True)
        else:
            contents |= {output / place / f"{figure.name}.{form}": figure_bytes(figure, form) for form in formats}
    if not contents:
        named = ", ".join(map(str, places))
        raise ResultsError(f"the runs in {named} give none of these figures; the lines above say what each lacks")
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
            click.echo(str(path))
    except OSError as error:
        raise ResultsError(f"cannot write to {output} ({error.strerror}); choose another folder with -o") from error


def _drawn(loaded: Sequence[Results], only: Collection[str] | None) -> Iterator[tuple[str, Drawn | str]]:
    """Each figure with the folder that it goes to, or its name and why there is none."""
    from huse_bench.report.figures import OVER, LeftOut, draw_all, draw_over  # noqa: PLC0415
    from huse_bench.report.several import summary_or_reason  # noqa: PLC0415

    over = [name for name in OVER if only is None or name in only]
    own = None if only is None else [name for name in only if name not in OVER]
    names: list[str] = []
    for results in loaded:
        name = results.records[0].dataset.name
        again = names.count(name)
        names.append(name)
        place = "" if len(loaded) == 1 else f"{name}-{again + 1}" if again else name
        for figure in draw_all(results, own) if own is None or own else ():
            yield place, f"{figure.name}: {figure.reason}" if isinstance(figure, LeftOut) else figure
    # Of a single folder they are not missed.
    if over and (only is not None or len(loaded) > 1):
        found = summary_or_reason(loaded)
        if isinstance(found, str):
            yield "", f"{', '.join(over)}: {found}"
        else:
            for drawn in draw_over(found, over):
                yield "", drawn
