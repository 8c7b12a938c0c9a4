"""Losses that misbehave in every way that ends or stops a process cost their own run, and no other."""

import json
import os
import re
from pathlib import Path

import pytest

# One file for each; a run without any of them comes first and last.
LOSSES = {
    "raising": 'raise RuntimeError("oh no")',
    "printing": 'print("printed by a plugin"); return {"gap": gap}',
    "exiting": "import sys; sys.exit(0)",
    "forking": """
        import os
        self.calls = getattr(self, "calls", 0) + 1
        if self.calls == 3:
            child = os.fork()
            with open("family", "a") as file:
                file.write(f"{os.getpid()}\\n")
            if child:
                os.waitpid(child, 0)
        return {"gap": gap}
    """,
    "hanging": """
        import time
        while True:
            try:
                time.sleep(600)
            except Exception:
                pass
    """,
    "slow": 'import time; time.sleep(0.5); return {"gap": gap}',
}

SOURCE = '''
from huse_bench import Loss

class {title}(Loss):
    """Misbehaves."""
    title = "{title}"

    def forward(self, batch):
        gap = (1 - (batch.image * batch.text).sum(1)).mean()
        {body}
'''


class Done:
    """A command on all of them that has ended."""

    def __init__(self, out, said):
        self.out, self.said = out, said
        paths = Path("results/runs").glob("*.json")
        records = [json.loads(path.read_text()) for path in paths]
        self.status = {record["method"]["name"]: record["status"] for record in records}
        self.error = {record["method"]["name"]: record["error"] for record in records}


@pytest.fixture
def run(command, toy):
    """Runs one of them between two losses that do nothing wrong."""

    def call(name, *more, code):
        (toy / "plugins").mkdir()
        (toy / f"plugins/{name}.py").write_text(SOURCE.format(title=name.title(), body=LOSSES[name].strip()))
        more = ("--steps", "40", "--plugins-dir", "plugins", *more)
        out, said = command("results", *more, methods=f"gap,{name},triplet", code=code)
        done = Done(out, said)
        assert (done.status["gap"], done.status["triplet"]) == ("finished", "finished")
        assert "Gap only" in out
        assert "Triplet" in out
        assert not list(Path("results").rglob("*.checkpoint"))
        return done

    return call


@pytest.mark.fault("a loss that raises", seen="a record that says so; exit code 1", lost="that run alone")
def test_raises(run):
    done = run("raising", code=1)
    assert done.status["raising"] == "failed"
    assert "RuntimeError: oh no" in done.error["raising"]


@pytest.mark.fault("a loss that prints", seen="its words on standard error, none among the tables", lost="nothing")
def test_prints(run):
    done = run("printing", code=0)
    assert done.status["printing"] == "finished"
    assert "printed by a plugin" in done.said
    assert "printed by a plugin" not in done.out


@pytest.mark.fault("a loss that calls `sys.exit`", seen="a record that says so; exit code 1", lost="that run alone")
def test_exits(run):
    done = run("exiting", code=1)
    assert done.status["exiting"] == "failed"
    assert done.error["exiting"] == "the code of exiting called sys.exit(0), and a loss must raise instead"


@pytest.mark.fault(
    "a loss that forks, whose child goes on as though it were the run",
    seen="nothing: the child is ended at its next step",
    lost="nothing",
)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forks(run):
    done = run("forking", code=0)
    assert done.status["forking"] == "finished"
    assert done.said.count("Forking seed 0: finished") == 1
    assert len(set(Path("family").read_text().split())) == 2


@pytest.mark.fault(
    "a loss that hangs in Python code, with `--timeout`",
    seen="a record that says so; exit code 1",
    lost="that run alone",
)
def test_hangs(run, command):
    # So that nothing is compiled in the time that is measured.
    command("results", "--steps", "40", methods="gap")
    done = run("hanging", "--timeout", "10", code=1)
    assert done.status["hanging"] == "failed"
    assert done.error["hanging"] == "it took longer than the 10 seconds of --timeout"


@pytest.mark.fault(
    "a loss that is too slow, with `--timeout`",
    seen="a record that says so; exit code 1",
    lost="that run alone",
)
def test_is_slow(run, command):
    command("results", "--steps", "40", methods="gap")
    done = run("slow", "--timeout", "10", code=1)
    assert done.status["slow"] == "failed"
    assert re.search(r"^Slow seed 0: failed after \d+ s: it took longer than the 10 seconds", done.said, re.MULTILINE)
