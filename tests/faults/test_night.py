"""One night in small: a run of the paper's preset that is killed again and again, beside one that is left alone."""

import json
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "one-night.md"

# The paper's preset but for its 250,000 steps: minutes for one thread.
OPTIONS = ["--preset", "paper", "--steps", "900", "--methods", "huse", "--checkpoint-every", "10"]
KILLS = 4
EARLIEST, LATEST = 15.0, 75.0

PAGE_TEXT = """\
# One night

The log of a run that was killed {kills} times, each time at a random moment, and taken to its end by the same command
given again; and of one that nothing befell. It is the paper's preset on the data that ship, with its batches of 1024,
but {steps} steps in place of 250,000, on {threads} of {machine}. Other work may have had the machine too, so
its times measure nothing. [Reliability](reliability.md) says what is kept, and what other faults are tried. This page
was written by the test that did it, which fails where a single bit differs:

```sh
pytest tests/faults/test_night.py -m soak --write-log
```

## The night

```text
{night}
```

## What was left, beside the run that nothing befell

All files are compared whole; of the records all but times, memory and the command, of the log of events all that was
measured.

```text
{files}
```
"""


class Log:
    """What happened, each line with the minutes and seconds since the start."""

    def __init__(self):
        self._began = time.monotonic()
        self.lines = []

    def say(self, text):
        seconds = round(time.monotonic() - self._began)
        self.lines.append(f"{seconds // 60:02}:{seconds % 60:02}  {text}")

    def command(self, results, until=None):
        """Give the command; gives its return code and the tables that it printed, once it has ended or been killed."""
        arguments = ["run", *OPTIONS, "--results", results]
        self.say(f"$ huse-bench {' '.join(arguments)}")
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen([sys.executable, "-m", "huse_bench", *arguments], **pipes) as process:
            try:
                tables, said = process.communicate(timeout=until)
            except subprocess.TimeoutExpired:
                process.kill()
                tables, said = process.communicate()
        self.lines += [f"       {line}" for line in said.splitlines()]
        if until is not None and process.returncode:
            self.say(f"killed by SIGKILL, {until:.1f} s after its start")
        else:
            self.say(f"ended with exit code {process.returncode}")
        return process.returncode, tables


@pytest.mark.soak
def test_a_night_of_kills_leaves_what_a_quiet_one_does(tmp_path, monkeypatch, left_by, request):
    monkeypatch.chdir(tmp_path)
    log, draw = Log(), random.Random(1)
    killed = [log.command("disturbed", draw.uniform(EARLIEST, LATEST))[0] for _ in range(KILLS)].count(-9)
    # With less it has ended too early for this machine: more steps.
    assert killed >= 3
    code, tables = log.command("disturbed")
    assert code == 0
    assert re.search(r"HUSE seed 0: goes on from its checkpoint after step \d+$", "\n".join(log.lines), re.MULTILINE)
    code, quiet_tables = log.command("undisturbed")
    assert code == 0
    left, quiet = left_by("disturbed"), left_by("undisturbed")
    assert left == quiet
    assert tables == quiet_tables.replace("undisturbed", "disturbed")
    if request.config.getoption("--write-log"):
        (record,) = (json.loads(path.read_text()) for path in Path("disturbed/runs").glob("*.json"))
        threads = record["provenance"]["torch threads"]
        PAGE.write_text(
            PAGE_TEXT.format(
                kills=killed,
                steps=record["training"]["steps"],
                threads=f"{threads} {'thread' if str(threads) == '1' else 'threads'}",
                machine=record["provenance"]["processor"],
                night="\n".join(log.lines),
                files="\n".join(f"the same  {name}" for name in [*sorted(left), "the tables that were printed"]),
            ),
            encoding="utf-8",
        )
