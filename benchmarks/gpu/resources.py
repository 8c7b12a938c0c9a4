"""Registers, spills and shared memory of every kernel, as this machine's triton compiles them for this card."""

from concurrent.futures import ThreadPoolExecutor

import torch

from huse_bench.kernels.cuda import report

_WORKERS = 8
_SAMPLE = ("ranking, all scores, 512",)


def check(notes):
    names = _SAMPLE if notes.dry_run else tuple(report.CONFIGURATIONS)
    # A dry run has no card; any that the report is made for will do.
    major, minor = (9, 0) if notes.dry_run else torch.cuda.get_device_capability()

    def taken(name):
        if notes.late:
            notes.fail(f"{name}: no time was left")
            return
        with notes.guarded(name):
            found = report.resources(report.compiled(name, 10 * major + minor))
            if found.spills:
                notes.fail(f"{name}: {found.spills} bytes spill")
            notes.add(
                f"taken on sm_{major}{minor}",
                configuration=name,
                registers=found.registers,
                spills=found.spills,
                shared_kib=found.shared / 1024,
            )

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(taken, names))
