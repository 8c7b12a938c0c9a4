import os
import subprocess
import sys
from importlib import import_module

import click
import pytest

from huse_bench import cli
from huse_bench.cli import main


@pytest.fixture
def python(tmp_path):
    """Run Python in a new process that also has a distribution ``acme`` with these hooks and a broken loss."""

    def run(*arguments, hooks=None, **variables):
        info = tmp_path / "acme-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
        entry_points = "[huse_bench.losses]\nacme-bad = acme_bad:Bad\n"
        if hooks is not None:
            entry_points += "[huse_bench]\nacme-hooks = acme_hooks\n"
            (tmp_path / "acme_hooks.py").write_text(hooks)
        (info / "entry_points.txt").write_text(entry_points)
        (tmp_path / "acme_bad.py").write_text("raise RuntimeError('imported')")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HUSE_BENCH_")}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(tmp_path), environment.get("PYTHONPATH")]))
        return subprocess.run(
            [sys.executable, *arguments],
            env=environment | variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def _command(body):
    return (
        "import click, sys, huse_bench\n@huse_bench.hookimpl\ndef huse_bench_register_commands(cli):\n"
        f"    @cli.command()\n    def hello():\n        '''Say hello.'''\n        {body}\n"
    )


@pytest.mark.parametrize(
    "arguments", [["--help"], ["plugins", "list"], *([command, "--help"] for command in cli._COMMANDS)]
)
def test_heavy_modules_and_components_are_not_imported(python, arguments):
    code = f"import sys; from huse_bench.cli import main; main({arguments}); print(*sys.modules, file=sys.stderr)"
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    imported = set(done.stderr.split())
    assert "huse_bench.cli" in imported
    heavy = {"torch", "numpy", "pandas", "pydantic", "huse_bench.components", "acme_bad", "huse_bench_losses"}
    assert not imported & heavy


def test_tables_are_shown_without_what_evaluates_and_trains(python):
    done = python("-c", "import sys, huse_bench.report; print(*sys.modules)")
    imported = set(done.stdout.split())
    assert "pandas" in imported
    assert not imported & {"torch", "numba", "scipy.stats", "scipy.optimize", "huse_bench.evaluation"}


@pytest.mark.parametrize("command", cli._COMMANDS)
def test_each_command_is_what_the_table_says(command):
    module, _, attribute = cli._COMMANDS[command].target.partition(":")
    found = getattr(import_module(module), attribute)
    assert isinstance(found, click.Command)
    assert found.get_short_help_str(limit=200).rstrip(".") == cli._COMMANDS[command].help.rstrip(".")


def test_help_lists_our_commands_and_the_plugins_own(python):
    done = python("-m", "huse_bench", "--help", hooks=_command("pass"))
    assert (done.returncode, done.stderr) == (0, "")
    for line in ("hello ", "plugins ", "run ", "tables ", "features ", "kernels "):
        assert f"\n  {line}" in done.stdout
    assert "Say hello." in done.stdout


def test_a_plugins_command_runs(python):
    done = python("-m", "huse_bench", "hello", hooks=_command("print('hello there')"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello there\n", "")


@pytest.mark.parametrize("code", [0, 1, 3])
@pytest.mark.parametrize("leave", ["sys.exit({})", "click.get_current_context().exit({})"])
def test_a_commands_exit_code_is_kept(python, code, leave):
    assert python("-m", "huse_bench", "hello", hooks=_command(leave.format(code))).returncode == code


def test_a_plugin_cannot_replace_a_command(python):
    hooks = _command("print('hijacked')").replace("cli.command()", "cli.command('plugins')")
    done = python("-m", "huse_bench", "--help", hooks=hooks)
    assert done.returncode == 0
    assert "hooks 'acme-hooks' of acme==1.0" in done.stderr
    assert "there is a command 'plugins' already; the plugin must rename its own" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_broken_hook_plugin_is_one_line_and_not_fatal(python):
    done = python("-m", "huse_bench", "--help", hooks="1 / 0")
    assert done.returncode == 0
    assert "Commands:" in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("huse-bench: warning: hooks 'acme-hooks' of acme==1.0 (acme_hooks) cannot be loaded: Zero")


def test_a_broken_hook_plugin_is_an_error_when_strict(python):
    done = python("-m", "huse_bench", "--help", hooks="1 / 0", HUSE_BENCH_STRICT_PLUGINS="1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("huse-bench: error: hooks 'acme-hooks' of acme==1.0")


def test_our_error_is_a_message_and_not_a_traceback(python):
    done = python("-m", "huse_bench", "plugins", "list", HUSE_BENCH_PLUGINS="nobody")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("huse-bench: error: HUSE_BENCH_PLUGINS names 'nobody'")
    assert len(done.stderr.splitlines()) == 1


def test_interrupting_exits_with_130(python):
    done = python("-m", "huse_bench", "hello", hooks=_command("raise KeyboardInterrupt"))
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.strip() == "huse-bench: interrupted"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plugin"], "No such command 'plugin'. Did you mean 'plugins'?"),
        (["xyzzy"], "No such command 'xyzzy'. The commands are "),
        (["--colour"], "No such option"),
        (["plugins", "list", "--xml"], "No such option"),
    ],
)
def test_a_wrong_command_line_exits_with_2(capsys, arguments, message):
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert message in output.err


def test_version_is_that_of_the_distribution(monkeypatch, tmp_path, capsys):
    info = tmp_path / "huse_bench-9.8.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: huse-bench\nVersion: 9.8\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "huse-bench 9.8\n"


@pytest.mark.parametrize(
    ("given", "found"),
    [({}, "5000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)],
)
def test_torchs_threads_do_not_keep_cores_busy_unless_a_user_said_so(monkeypatch, given, found):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert main(["--version"]) == 0
    assert os.environ.get("GOMP_SPINCOUNT") == found
