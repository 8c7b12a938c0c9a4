"""The command line, ``huse-bench``; each command is a module, imported only when it is called."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

import click

from huse_bench.cli._encodings import spare_encodings
from huse_bench.errors import HuseBenchError, PluginConflictError
from huse_bench.hints import did_you_mean
from huse_bench.runs.stopping import Stopped
from huse_bench.version import installed_version

__all__ = ["cli", "main"]


class _Lazy(NamedTuple):
    target: str
    help: str


# The help is kept here, so that listing the commands imports none of them.
_COMMANDS = {
    "compare": _Lazy(
        "huse_bench.cli.compare:compare", "Say where one method is better than another, by how much and how surely."
    ),
    "features": _Lazy(
        "huse_bench.cli.features:features", "Make the features of a dataset, and look after their cache."
    ),
    "figures": _Lazy(
        "huse_bench.cli.figures:figures",
        "Draw figures of finished runs: methods, curves, classes, distances, cost, tuning.",
    ),
    "kernels": _Lazy(
        "huse_bench.cli.kernels:kernels",
        "Show the backends of the pairwise losses and of ranking, and check them.",
    ),
    "leaderboard": _Lazy(
        "huse_bench.cli.leaderboard:leaderboard", "Rank the results of many bundles and data sets on one page."
    ),
    "merge": _Lazy("huse_bench.cli.merge:merge", "Join bundles of several people or machines into one."),
    "plugins": _Lazy(
        "huse_bench.cli.plugins:plugins", "Show what is installed and whether it works; make new plugins."
    ),
    "publish": _Lazy("huse_bench.cli.publish:publish", "Write results as a bundle that others can check and cite."),
    "published": _Lazy(
        "huse_bench.cli.published:published", "Show numbers that papers printed, and find those that cannot be."
    ),
    "report": _Lazy(
        "huse_bench.cli.report:report",
        "Make a page of finished runs: one HTML file with tables, methods, run facts and data.",
    ),
    "run": _Lazy(
        "huse_bench.cli.run:run", "Train and evaluate methods on equal terms, and print the paper's three tables."
    ),
    "show": _Lazy("huse_bench.cli.show:show", "Show what is known of one run."),
    "status": _Lazy(
        "huse_bench.cli.status:status",
        "Show what runs, how fast and how long still, what waits, what was stopped and what failed.",
    ),
    "tables": _Lazy(
        "huse_bench.cli.tables:tables", "Print the tables of finished runs, in the layout of the paper's Tables 1-3."
    ),
    "tune": _Lazy(
        "huse_bench.cli.tune:tune",
        "Choose hyper-parameters on the validation split, with an equal budget for each method.",
    ),
    "verify": _Lazy(
        "huse_bench.cli.verify:verify", "Make all numbers and pages of a bundle again, and say what was checked."
    ),
}


class _LazyGroup(click.Group):
    """Commands of our own, imported when called, and those that plugins add."""

    _plugins_asked = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._ask_plugins()
        return sorted([*_COMMANDS, *super().list_commands(ctx)])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _COMMANDS:
            module, _, attribute = _COMMANDS[cmd_name].target.partition(":")
            command = getattr(import_module(module), attribute)
            assert isinstance(command, click.Command)
            return command
        self._ask_plugins()
        return super().get_command(ctx, cmd_name)

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        name = name or cmd.name
        if name in _COMMANDS or name in self.commands:
            raise PluginConflictError(f"there is a command {name!r} already; the plugin must rename its own")
        super().add_command(cmd, name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # Click suggests no command that is not imported.
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            known = self.list_commands(ctx)
            hint = did_you_mean(name, known) or f" The commands are {', '.join(known)}."
            raise click.UsageError(f"No such command {name!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(ctx):
            if name in _COMMANDS:
                rows.append((name, _COMMANDS[name].help))
            elif not self.commands[name].hidden:
                rows.append((name, self.commands[name].get_short_help_str(limit=100)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _ask_plugins(self) -> None:
        if self._plugins_asked:
            return
        self._plugins_asked = True
        from huse_bench.discovery import notify  # noqa: PLC0415  our own commands need no plugin

        for error in notify("huse_bench_register_commands", cli=self):
            click.echo(f"huse-bench: warning: {error}", err=True)


def _print_version(ctx: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        click.echo(f"huse-bench {installed_version()}")
        ctx.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
def cli() -> None:
    """Compare image-text embedding methods on equal terms.

    Tables go to standard output, progress and notices to standard error. The exit code is 0 if all went well,
    1 if a run or a check failed or a bundle was refused, 2 for a mistake in what was asked, 130 if interrupted, 143 if
    ended by SIGTERM.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: what follows ``huse-bench``; by default what the process was started with.

    Returns:
        The exit code: 0 if all went well, 1 if a run or a check failed, 2 for a user's mistake, 130 if interrupted, 143
        if ended by SIGTERM.
    """
    spare_encodings()
    _spare_cores()
    try:
        code = cli.main(arguments, prog_name="huse-bench", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        click.echo("huse-bench: interrupted", err=True)
        return 130
    except Stopped as stopped:
        again = shlex.join(sys.argv[1:] if arguments is None else arguments)
        click.echo(f"huse-bench: {stopped}; what is done is kept. To go on: huse-bench {again}", err=True)
        return stopped.exit_code
    except HuseBenchError as error:
        click.echo(f"huse-bench: error: {error}", err=True)
        return 2
    return code if isinstance(code, int) else 0


def _spare_cores() -> None:
    """Let torch's threads wait for their next product without keeping a core busy for milliseconds, as those of GNU's
    OpenMP do otherwise: the compiled loops that come between products have threads of their own.
    """
    # Read when torch is loaded, which is later. Some tenths of a millisecond: two products in turn still meet no sleep.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "5000")
