"""Real faults that befall real commands, and the table of them on the page about reliability."""

import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- faults: begin -->\n", "<!-- faults: end -->\n"


def pytest_addoption(parser):
    parser.addoption("--write-table", action="store_true", help="write the table of faults into docs/reliability.md")
    parser.addoption(
        "--write-log", action="store_true", help="write docs/one-night.md from the night of tests marked soak"
    )


def table(items):
    """The faults that tests are marked with, as lines of Markdown."""
    rows = dict.fromkeys(
        f"| {mark.args[0]} | {mark.kwargs['seen']} | {mark.kwargs['lost']} |\n"
        for item in items
        for mark in item.iter_markers("fault")
    )
    return "".join(["| fault | what is seen | what is lost |\n", "| --- | --- | --- |\n", *rows])


@pytest.fixture
def faults(request):
    """The table that the tests of this run make."""
    return table(request.session.items)


def pytest_sessionfinish(session, exitstatus):
    """Write the table, once all of it was seen to be so."""
    if session.config.option.collectonly:
        return
    skipped = session.config.pluginmanager.get_plugin("terminalreporter").stats.get("skipped", ())
    # One is the comparison of the page.
    if not session.config.getoption("--write-table", default=False) or exitstatus or len(skipped) > 1:
        return
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n{table(session.items)}\n{END}{after}", encoding="utf-8")


class Command:
    """``huse-bench run`` on the toy data, in the working folder."""

    def __init__(self, forks):
        self._forks = forks

    def start(self, results, *more, methods="huse", command="run", anew=False):
        options = ["--dataset", "toy", "--methods", methods, "--config", "quick.toml", "--results", results]
        return self._forks.start(command, *options, *more, anew=anew)

    def finish(self, process, code=0):
        """What a command printed, and what it said, once it has ended with this code."""
        out, said = process.communicate(timeout=300)
        assert process.returncode == code, said
        assert "Traceback" not in said
        return out, said

    def __call__(self, results, *more, methods="huse", code=0):
        return self.finish(self.start(results, *more, methods=methods), code)

    def training(self, results, *more, methods="huse", before=0.0):
        """A command that trains: it has written checkpoints of its own, or ended."""
        process = self.start(results, "--checkpoint-every", "0.02", *more, methods=methods)
        began = time.time_ns()
        while process.poll() is None:
            try:
                if any(path.stat().st_mtime_ns >= began for path in Path(results).rglob("step-*")):
                    break
            except FileNotFoundError:
                continue
            time.sleep(0.002)
        time.sleep(before)
        return process


@pytest.fixture
def command(toy, forks):
    (toy / "quick.toml").write_text("[training]\nsteps = 300\nbatch_size = 32\nwidth = 16\nembedding_dim = 8\n")
    return Command(forks)


@pytest.fixture(scope="session")
def _undisturbed():
    return {}


@pytest.fixture
def undisturbed(_undisturbed, command, left_by):
    """Gives what a command leaves that nothing befalls, and the tables that it prints."""

    def of(methods="huse", *more):
        asked = (methods, *more)
        if asked not in _undisturbed:
            table, _ = command("undisturbed", "--checkpoint-every", "0", *more, methods=methods)
            _undisturbed[asked] = (left_by("undisturbed"), table)
        return _undisturbed[asked]

    return of


def mount(what, place, *options):
    if shutil.which("mount") is None:
        pytest.skip("there is no mount")
    done = subprocess.run(["mount", *options, what, str(place)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")


def unmount(place):
    # Lazily, for a process that is ending may still look at it.
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def small_disk(tmp_path):
    """Mounts file systems of a few megabytes of memory."""
    mounted = []

    def make(name, options):
        place = tmp_path / "work" / name
        place.mkdir()
        mount("huse-bench-test", place, "-t", "tmpfs", "-o", options)
        mounted.append(place)
        return place

    yield make
    for place in mounted:
        unmount(place)


@pytest.fixture
def read_only():
    """Gives a context in which nothing in a folder can be written, but to files that are open."""

    @contextmanager
    def make(folder):
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            # No mode of a file stops root, and no file system becomes read-only while files of it are open.
            mount(folder, folder, "--bind")
            try:
                change = ["mount", "-o", "remount,bind,ro", str(folder)]
                # It is busy where a file was opened since.
                assert any(subprocess.run(change, capture_output=True, check=False).returncode == 0 for _ in range(999))
                yield
            finally:
                unmount(folder)
            return
        if os.name != "posix":
            pytest.skip("a mode makes no folder read-only here")
        folders = [path for path in (folder, *folder.rglob("*")) if path.is_dir()]
        modes = [path.stat().st_mode for path in folders]
        try:
            for path in folders:
                path.chmod(0o555)
            yield
        finally:
            for path, mode in zip(folders, modes, strict=True):
                path.chmod(mode)

    return make
