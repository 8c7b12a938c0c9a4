"""``huse-bench figures``: the figures of results, as files."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["figures"]


def _listed(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(part.strip() for part in value.split(",") if part.strip())


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("results/emoji"))
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
def figures(folder: Path, output: Path, formats: tuple[str, ...], only: tuple[str, ...] | None) -> None:
    """Draw figures of finished runs: methods, curves, classes, distances, cost, tuning.

    FOLDER is a results folder; default: results/emoji. Names of the files go to standard output. A figure that the runs
    do not hold the numbers of is left out, and standard error says why.
    """
    # Pandas and matplotlib load only once the command line was understood.
    from huse_bench.errors import ResultsError, UsageError  # noqa: PLC0415
    from huse_bench.files import write_atomically  # noqa: PLC0415
    from huse_bench.report.figures import Drawn, draw_all  # noqa: PLC0415
    from huse_bench.report.figures.writing import FORMATS, figure_bytes  # noqa: PLC0415
    from huse_bench.results import load_results  # noqa: PLC0415

    unknown = [form for form in formats if form not in FORMATS]
    if unknown or not formats:
        raise UsageError(
            f"--format takes {', '.join(FORMATS)}, with commas between; got {', '.join(unknown) or 'none'}"
        )
    results = load_results(folder)
    for problem in results.problems:
        click.echo(f"huse-bench: left out: {problem}", err=True)
    contents: dict[str, bytes] = {}
    for figure in draw_all(results, only):
        if isinstance(figure, Drawn):
            contents |= {f"{figure.name}.{form}": figure_bytes(figure, form) for form in formats}
        else:
            click.echo(f"huse-bench: no figure {figure.name}: {figure.reason}", err=True)
    if not contents:
        raise ResultsError(f"the runs in {folder} give none of these figures; the lines above say what each lacks")
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            write_atomically(output / name, content)
            click.echo(str(output / name))
    except OSError as error:
        raise ResultsError(f"cannot write to {output} ({error.strerror}); choose another folder with -o") from error
