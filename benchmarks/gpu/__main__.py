"""Check the CUDA kernels on a GPU, in six minutes: ``python -m benchmarks.gpu``; docs/benchmarks.md has more.

Each stage is a process of its own, so that a crash, a GPU out of memory or a compiler that hangs costs that stage
alone. The report is written anew after each.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from benchmarks.gpu.page import section
from benchmarks.gpu.record import FOLDER, Check, Stage, folded, slug
from benchmarks.versions import installed
from huse_bench.files import write_atomically

ROOT = Path(__file__).parents[2]
# Before a stage is stopped, it begins nothing new for so long.
_GRACE = 12
_DISTRIBUTIONS = ("huse-bench", "torch", "triton", "numpy", "numba")


class Plan(NamedTuple):
    """How a stage is run: for how many seconds at most, and in how many processes."""

    seconds: int
    processes: int = 1


#: The stages in their order: what others need, and what matters most, first.
STAGES = {
    "facts": Plan(40),
    # Most of its time is the compiler's: the dimensions are shared out.
    "parity": Plan(110, processes=min(os.cpu_count() or 1, 16)),
    "timing": Plan(90),
    "steps": Plan(60),
    "behaviour": Plan(45),
    "retrieval": Plan(40),
    "resources": Plan(40),
}


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.partition(";")[0])
    parser.add_argument("--stages", default=",".join(STAGES), help="some of these, by commas (all)")
    parser.add_argument("--seconds", type=float, default=355, help="the most that all may take (%(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="everything small, on the CPU, by Triton's interpreter")
    parser.add_argument("--out", type=Path, help="the report (results/benchmarks/gpu/CARD.json)")
    options = parser.parse_args(arguments)
    chosen = options.stages.split(",")
    if unknown := [name for name in chosen if name not in STAGES]:
        parser.error(f"there is no stage {unknown[0]!r}; choose of {', '.join(STAGES)}")
    if options.seconds < 3 * _GRACE:
        parser.error(f"--seconds {options.seconds:.0f} is too little for any stage; give {3 * _GRACE} at least")
    if options.dry_run and options.out is None:
        parser.error("a dry run measures nothing that belongs into results/; say where to write with --out")
    if not options.dry_run and not _has_gpu():
        parser.error("torch finds no CUDA device; nvidia-smi must list one. --dry-run tries everything on the CPU")

    end = time.monotonic() + options.seconds
    stages = {name: Stage(outcome="not run") for name in STAGES if name in chosen}
    card = ""
    with tempfile.TemporaryDirectory(prefix="huse-bench-gpu-") as folder:
        for name in list(stages):
            # A dry run is of what happens, not of how fast: a busy machine takes as long as it takes.
            seconds = 600 if options.dry_run else min(STAGES[name].seconds, end - time.monotonic())
            if seconds < 2 * _GRACE:
                _say(f"{name}: no time is left; give more with --seconds, or choose with --stages")
                continue
            _say(f"{name}, {seconds:.0f} s at most")
            stage, seen = run_stage(name, Path(folder), seconds, dry_run=options.dry_run)
            stages[name], card = stage, card or seen
            for line in (f"{stage.outcome} after {stage.seconds} s", *stage.failures):
                _say(f"  {line}")
            path = options.out or FOLDER / f"{slug(card)}.json"
            check = Check(
                name=path.stem,
                card=card,
                date=datetime.now(UTC).date().isoformat(),
                dry_run=options.dry_run,
                versions={"python": sys.version.split()[0], **installed(_DISTRIBUTIONS)},
                stages=stages,
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, (check.model_dump_json(indent=1) + "\n").encode())
    _say(section(check))
    _say(f"written to {path}; python -m benchmarks.render puts what lies in {FOLDER} into docs/benchmarks.md")
    return any(stage.failures or stage.outcome != "done" for stage in stages.values())


def run_stage(name, folder, seconds, *, dry_run):
    """Run a stage in processes of its own.

    Args:
        name: of the stage.
        folder: for what its processes write.
        seconds: how long they may take.
        dry_run: whether without a GPU.

    Returns:
        What it found, and the card that it ran on.
    """
    processes = 1 if dry_run else STAGES[name].processes
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    environment.pop("TRITON_INTERPRET", None)
    if dry_run and name != "resources":
        environment["TRITON_INTERPRET"] = "1"
    start = time.monotonic()
    running = []
    for part in range(processes):
        path = folder / f"{name}-{part}.json"
        command = [sys.executable, "-m", "benchmarks.gpu.stage", name, path, "--part", str(part), str(processes)]
        command += ["--seconds", str(seconds - _GRACE), *(["--dry-run"] if dry_run else [])]
        log = path.with_suffix(".log").open("wb")
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)  # noqa: S603 - our own
        running.append((path, log, process))
    failures, parts = [], []
    for path, log, process in running:
        try:
            process.wait(max(start + seconds - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            failures.append(f"stopped after {seconds:.0f} s")
        else:
            if process.returncode:
                failures.append(f"ended with {process.returncode}: {_end(log.name)}")
        log.close()
        if path.exists():
            parts.append(json.loads(path.read_text(encoding="utf-8")))
    titles = dict.fromkeys(title for part in parts for title in part["tables"])
    stage = Stage(
        outcome="stopped" if failures else "done",
        seconds=round(time.monotonic() - start, 1),
        tables={title: folded([row for part in parts for row in part["tables"].get(title, [])]) for title in titles},
        failures=sorted({*failures, *(line for part in parts for line in part["failures"])}),
    )
    return stage, next((part["card"] for part in parts if part["card"]), "")


def _end(log):
    """What a process said last, which is what it died of."""
    lines = Path(log).read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")[:300]


def _has_gpu():
    import torch  # noqa: PLC0415 - a dry run starts without

    return torch.cuda.is_available()


def _say(line):
    print(line, flush=True)  # noqa: T201 - what the command says


if __name__ == "__main__":
    sys.exit(main())
