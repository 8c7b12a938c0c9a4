"""The process of one stage: ``python -m benchmarks.gpu.stage NAME PATH``; ``benchmarks.gpu`` starts it."""

import argparse
import importlib
from pathlib import Path

import torch

from benchmarks.gpu.notes import Notes


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="a module of this folder, with a function check")
    parser.add_argument("path", type=Path, help="the JSON to write")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1))
    options = parser.parse_args()
    notes = Notes(options.path, dry_run=options.dry_run, seconds=options.seconds, part=tuple(options.part))
    # Times are of the GPU; what the CPU does beside it is small, and several stages may share its cores.
    torch.set_num_threads(1)
    notes.card("no GPU: a dry run" if notes.dry_run else torch.cuda.get_device_name(0))
    with notes.guarded(options.name):
        importlib.import_module(f"benchmarks.gpu.{options.name}").check(notes)


if __name__ == "__main__":
    main()
