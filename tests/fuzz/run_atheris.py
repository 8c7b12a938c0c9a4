"""Look for files that a reader does not survive, led by the code that they reach: ``tox -e fuzz``.

    python tests/fuzz/run_atheris.py [--seconds 600] [TARGET ...]

Each target is a process of its own. What ends in another error than HuseBenchError is kept in a folder that is named,
as the bytes that ``targets.run(NAME, bytes)`` takes.
"""

import argparse
import random
import subprocess
import sys
import tempfile
from pathlib import Path

#: What is fuzzed where no target is named: one of each kind of file that people send each other.
READERS = (
    "record",
    "manifest items.csv",
    "manifest items.parquet",
    "manifest taxonomy.csv",
    "features image.npy",
    "features image.safetensors",
    "features image.parquet",
    "config",
    "bundle zip",
)

# Bytes of a file, seconds for one, and MiB of memory: what takes more is a finding too.
_LIMITS = ("-max_len=65536", "-timeout=60", "-rss_limit_mb=6144")


def fuzz(name: str, seconds: int, found: Path) -> None:
    """Fuzz a target in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["huse_bench", "huse_bench_datasets"]):
        import targets
    from mutations import mutated

    def change(contents: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        made = mutated(contents, chance) if chance.random() < 0.5 else atheris.Mutate(contents, most)
        return made[:most]

    seeds = found / "seeds"
    seeds.mkdir(parents=True)
    for number, contents in enumerate(targets.TARGETS[name].seeds()):
        (seeds / str(number)).write_bytes(contents)
    prefix = f"-artifact_prefix={found}/"
    arguments = [sys.argv[0], *_LIMITS, prefix, f"-max_total_time={seconds}", "-print_final_stats=1", str(seeds)]
    atheris.Setup(arguments, lambda contents: targets.run(name, contents), custom_mutator=change)
    atheris.Fuzz()


def main() -> int:
    """Fuzz the targets one after another; 1 where one of them did not survive."""
    parser = argparse.ArgumentParser(description="Fuzz the readers with atheris.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", default=READERS, help="see TARGETS in targets.py")
    parser.add_argument("--seconds", type=int, default=600, help="for each target (600)")
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here is not None:
        fuzz(given.targets[0], given.seconds, given.here)
    top = Path(tempfile.mkdtemp(prefix="huse-bench-fuzz-found-"))
    failed = []
    for name in given.targets:
        print(f"{name}: {given.seconds} s", flush=True)
        command = [sys.executable, __file__, "--seconds", str(given.seconds), "--here", str(top / name), name]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    print(f"{len(given.targets) - len(failed)} of {len(given.targets)} targets survived")
    if failed:
        print(f"not {', '.join(failed)}: see {top}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
