"""The checks that a bundle passed, kept with it."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from huse_bench.bundles.archive import zip_bytes
from huse_bench.bundles.checks import Check
from huse_bench.bundles.reading import VERIFICATION, Bundle
from huse_bench.bundles.schema import VERIFICATION_FORMAT, Level, Rerun, Verification, Verified
from huse_bench.errors import UsageError
from huse_bench.files import write_atomically
from huse_bench.results.json_text import json_text

__all__ = ["machine_class", "sign_off"]


def machine_class(processor: str) -> dict[str, str]:
    """What kind of machine this is; nothing that tells it from others of its kind.

    Args:
        processor: name of the processor or the GPU that trained, as its maker calls it; empty where nothing was.
    """
    named = {"processor": processor} if processor else {}
    return {"platform": f"{platform.system()} {platform.machine()}", "python": platform.python_version(), **named}


def sign_off(
    bundle: Bundle,
    checks: Sequence[Check],
    level: Level,
    reruns: Sequence[Rerun] = (),
    machine: Mapping[str, str] | None = None,
) -> Verified:
    """Write down in a bundle that it passed.

    Args:
        bundle: none of whose checks failed.
        checks: what was looked at.
        level: that was reached.
        reruns: the runs that were trained again.
        machine: that checked, as :func:`machine_class` gives it.

    Returns:
        All that the bundle passed until now, as ``verification.json`` has it.

    Raises:
        UsageError: if the disk refuses.
    """
    assert all(check.passed is not False for check in checks)
    versions = {name: metadata.version(name) for name in ("huse-bench", "numpy", "torch")}
    passed = Verification(
        level=level,
        date=datetime.now(UTC).replace(microsecond=0),
        versions=versions,
        machine=dict(machine_class("") if machine is None else machine),
        checked=tuple(f"{check.name}: {check.detail}"[:1000] for check in checks if check.passed),
        reruns=tuple(reruns),
    )
    before = () if bundle.verified is None else bundle.verified.verifications
    verified = Verified(format=VERIFICATION_FORMAT, bundle=bundle.hash, verifications=(*before, passed))
    contents = (json_text(verified.model_dump(mode="json")) + "\n").encode()
    try:
        if bundle.path.is_dir():
            write_atomically(bundle.path / VERIFICATION, contents)
        else:
            files = {name: (bundle.folder / name).read_bytes() for name in ("bundle.json", *bundle.facts.files)}
            write_atomically(bundle.path, zip_bytes({**files, VERIFICATION: contents}))
    except OSError as error:
        where = Path(bundle.path)
        raise UsageError(f"cannot write {VERIFICATION} to {where} ({error.strerror or error})") from error
    return verified
