"""``huse-bench features``: make features ahead of a run, and look after their cache."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from tabulate import tabulate

from huse_bench.cli._options import data_options, feature_precision_option, plugins_dir_option, verbosity_options

__all__ = ["features"]

_DAY = 86_400


@click.group()
def features() -> None:
    """Make the features of a dataset, and look after their cache.

    Features are kept in the user's cache folder; the environment variable HUSE_BENCH_CACHE names another.
    """


@features.command()
@plugins_dir_option
@click.argument("dataset")
@data_options
@feature_precision_option("--precision", "--feature-precision")
@click.option("--config", type=click.Path(path_type=Path), help="TOML file, as for run; options given here win.")
@click.option("--workers", type=click.IntRange(0), help="Processes that read pictures; default: one for each core.")
@verbosity_options
def build(config: Path | None, workers: int | None, quiet: bool, verbose: bool, **options: Any) -> None:
    """Make the features that a run on DATASET needs, where the cache has none yet.

    A build that was killed goes on where it stopped.
    """
    given = {name: value for name, value in options.items() if value is not None}
    # Torch loads only once the command line was understood.
    from huse_bench.config import resolve_config  # noqa: PLC0415
    from huse_bench.features import load_dataset, make_features, prepare  # noqa: PLC0415
    from huse_bench.progress import Reporter  # noqa: PLC0415

    resolved = resolve_config(config, given, by="command line")
    items = make_features(*load_dataset(resolved), resolved, Reporter(quiet=quiet, verbose=verbose), workers)
    prepared = prepare(items, resolved.dataset)
    for notice in () if quiet else prepared.notices:
        click.echo(notice, err=True)
    rows = [
        (kind, backbone, value.values.shape[0], value.values.shape[1])
        for (kind, backbone), value in zip(
            prepared.backbones.items(), (items.image_features, items.text_features, items.class_features), strict=True
        )
        if value is not None
    ]
    click.echo(tabulate(rows, ("kind", "backbone", "items", "dim"), tablefmt="simple", disable_numparse=True))


@features.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_(as_json: bool) -> None:
    """List what the cache holds, and what was begun and not finished."""
    from huse_bench.features.cache import Cache  # noqa: PLC0415  --help needs no locks

    cache = Cache()
    entries, problems = cache.entries()
    unfinished = cache.unfinished()
    if as_json:
        listed = [
            {
                "name": entry.name,
                "file": str(entry.path),
                "bytes": _bytes(entry.path),
                "rows": entry.rows,
                "dim": entry.dim,
                **_described(entry.facts),
            }
            for entry in entries
        ]
        begun = [{"name": one.name, "file": str(one.path), "rows": one.rows, **one.facts} for one in unfinished]
        click.echo(json.dumps({"folder": str(cache.folder), "entries": listed, "unfinished": begun}, indent=2))
    else:
        rows = [
            (
                entry.name,
                entry.facts["dataset"],
                entry.facts["backbone"],
                f"{entry.rows:,} x {entry.dim}",
                _size(_bytes(entry.path)),
                _when(entry.used),
            )
            for entry in entries
        ] + [
            (
                one.name,
                str(one.facts.get("dataset", "?")),
                str(one.facts.get("backbone", "?")),
                f"{one.rows:,} of {one.facts.get('total', 0):,} made",
                _size(_bytes(one.path)),
                _when(one.used),
            )
            for one in unfinished
        ]
        if rows:
            headers = ("name", "dataset", "backbone", "features", "size", "used")
            click.echo(tabulate(rows, headers, tablefmt="simple", disable_numparse=True))
            total = sum(_bytes(path) for path in (*(e.path for e in entries), *(u.path for u in unfinished)))
            click.echo(f"\n{_size(total)} in {cache.folder}")
        else:
            click.echo(f"No features in {cache.folder}. Make some with: huse-bench features build DATASET")
    for problem in problems.values():
        click.echo(f"huse-bench: damaged: {problem}", err=True)


@features.command()
@click.argument("name")
def show(name: str) -> None:
    """Show where the features NAME come from, and which pictures are damaged.

    The beginning of a name is enough where no other begins with it.
    """
    from huse_bench.errors import DataError  # noqa: PLC0415  --help needs neither
    from huse_bench.features.cache import Cache  # noqa: PLC0415

    cache = Cache()
    found = [
        entry for entry in cache.entries()[0] if entry.name.startswith(name) or entry.facts["key"].startswith(name)
    ]
    if len(found) != 1:
        which = "several features are" if found else "no features are"
        names = f": {', '.join(entry.name for entry in found)}" if found else ""
        raise DataError(f"{which} called {name!r} in {cache.folder}{names}; see huse-bench features list")
    (entry,) = found
    facts = {"name": entry.name, "file": entry.path, "size": _size(_bytes(entry.path))}
    facts |= {"features": f"{entry.rows:,} x {entry.dim} float32"} | _described(entry.facts)
    click.echo(tabulate(facts.items(), tablefmt="plain", disable_numparse=True))
    for status, reason, file in entry.flaws.values():
        click.echo(f"{status}: {file}: {reason}")


@features.command()
@click.pass_context
def verify(ctx: click.Context) -> None:
    """Compare all features with their checksums; exit with 1 if any are damaged."""
    from huse_bench.features.cache import Cache  # noqa: PLC0415  --help needs no locks

    entries, problems = Cache().entries()
    damaged = [entry for entry in entries if not entry.is_sound()]
    for entry in entries:
        click.echo(f"{'damaged' if entry in damaged else 'ok':8}{entry.name}")
    for problem in problems.values():
        click.echo(f"damaged {problem}")
    if damaged or problems:
        click.echo("Remove them with: huse-bench features prune --damaged. The next run makes them again.")
        ctx.exit(1)


@features.command()
@click.option("--unused", type=click.IntRange(0), metavar="DAYS", help="What was not used for so many days.")
@click.option("--unfinished", is_flag=True, help="What was begun and not finished.")
@click.option("--damaged", is_flag=True, help="What does not fit its checksum.")
@click.option("--all", "everything", is_flag=True, help="Everything, the remembered hashes of pictures included.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def prune(unused: int | None, unfinished: bool, damaged: bool, everything: bool, dry_run: bool, yes: bool) -> None:
    """Remove features from the cache; what another process is making now is left alone."""
    from huse_bench.features.cache import Cache  # noqa: PLC0415  --help needs no locks

    if unused is None and not (unfinished or damaged or everything):
        raise click.UsageError("say what to remove: --unused DAYS, --unfinished, --damaged or --all")
    cache = Cache()
    chosen = list(dict.fromkeys(_chosen(cache, unused, unfinished, damaged, everything)))
    if not chosen:
        click.echo(f"Nothing to remove in {cache.folder}.")
        return
    for path in chosen:
        click.echo(f"{_size(_bytes(path)):>9}  {path.name}")
    total = _size(sum(_bytes(path) for path in chosen))
    if dry_run:
        click.echo(f"{total} would be removed from {cache.folder}.")
        return
    if not yes:
        click.confirm(f"Remove {total} from {cache.folder}?", abort=True)
    left = [path for path in chosen if not cache.remove(path)]
    if everything:
        cache.forget_hashes()
    for path in left:
        click.echo(f"{path.name} is being made now and was left alone", err=True)


def _chosen(cache: Any, unused: int | None, unfinished: bool, damaged: bool, everything: bool) -> Sequence[Path]:
    entries, problems = cache.entries()
    limit = None if unused is None else time.time() - unused * _DAY
    chosen = [
        entry.path
        for entry in entries
        if everything or (limit is not None and entry.used < limit) or (damaged and not entry.is_sound())
    ]
    if damaged or everything:
        chosen += problems
    if unfinished or everything:
        chosen += [one.path for one in cache.unfinished()]
    return chosen


def _described(facts: Any) -> dict[str, str]:
    return {name: text for name, text in facts.items() if name != "flaws"}


def _bytes(path: Path) -> int:
    # Another process may remove it meanwhile.
    return path.stat().st_size if path.exists() else 0


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _when(stamp: float) -> str:
    return datetime.fromtimestamp(stamp, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
