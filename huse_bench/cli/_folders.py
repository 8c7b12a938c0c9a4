"""Which results folders a command reads: those that are named, or the usual ones of data sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from huse_bench.cli._options import names_list

__all__ = ["folders_of", "folders_options"]


def folders_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what says which results folders are meant: any number of FOLDER, ``--results``, or ``--dataset``.

    A FOLDER may be a bundle, and then stands for the results folders in it.

    The command is given ``folders``, ``results`` and ``dataset``, for :func:`folders_of`.
    """
    options = (
        click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[FOLDER]..."),
        click.option(
            "--dataset",
            default="emoji",
            show_default=True,
            callback=names_list,
            metavar="A,B,...|all",
            help="Datasets of the runs.",
        ),
        click.option(
            "--results",
            multiple=True,
            type=click.Path(path_type=Path),
            help="Folder of the runs, as FOLDER; may be repeated; default: results/<dataset>.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def folders_of(folders: Sequence[Path], results: Sequence[Path], dataset: Sequence[str]) -> list[Path]:
    """The results folders that are meant, see :func:`folders_options`.

    Args:
        folders: those named as arguments; of a bundle, all that are in it.
        results: those named by ``--results``.
        dataset: datasets whose usual folders are meant where none is named.

    Raises:
        BundleError: for a bundle that cannot be read.
        ResultsError: for an archive that is not there.
    """
    if named := [*folders, *results]:
        return [folder for path in named for folder in _within(path)]
    if "all" in dataset:
        from huse_bench.runs.several import dataset_names  # noqa: PLC0415  plugins are asked only here

        dataset = dataset_names(",".join(dataset))
    return [Path("results") / name for name in dataset]


def _within(path: Path) -> list[Path]:
    if path.suffix != ".zip" and not (path / "bundle.json").is_file():
        return [path]
    from huse_bench.bundles.reading import read_bundle  # noqa: PLC0415  --help needs no schema

    bundle = read_bundle(path)
    # What was unpacked goes with the last reference.
    click.get_current_context().meta.setdefault(__name__, []).append(bundle)
    return list(bundle.folders.values())
