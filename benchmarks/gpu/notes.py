"""What a stage writes down as it goes, so that one that is killed leaves what it had found."""

import json
import time
import traceback
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from huse_bench.files import write_atomically


class Notes:
    """The findings of a stage, or of its part.

    Args:
        path: the JSON that is written anew with each of them.
        dry_run: whether this is the CPU with Triton's interpreter, and all is to be small.
        seconds: when to begin nothing new.
        part: which of several processes this is, from 0, and how many they are.
    """

    def __init__(self, path: Path, *, dry_run: bool, seconds: float, part: tuple[int, int] = (0, 1)) -> None:
        self.path, self.dry_run, self.part = path, dry_run, part
        self.device = "cpu" if dry_run else "cuda"
        self._end = time.monotonic() + seconds
        self._found = {"card": None, "tables": {}, "failures": []}
        # Threads of a stage write in turn, so that the last has all.
        self._lock = Lock()

    @property
    def late(self) -> bool:
        """Whether to begin nothing new."""
        return time.monotonic() > self._end

    def card(self, name: str) -> None:
        """Note what the stage runs on."""
        with self._lock:
            self._found["card"] = name
            self._write()

    def add(self, table: str, **cells) -> None:
        """Add a row to a table."""
        with self._lock:
            self._found["tables"].setdefault(table, []).append(cells)
            self._write()

    def replace(self, table: str, rows: list[dict]) -> None:
        """Write a table anew."""
        with self._lock:
            self._found["tables"][table] = rows
            self._write()

    def fail(self, line: str) -> None:
        """Note what is wrong."""
        with self._lock:
            self._found["failures"].append(line[:500])
            self._write()

    @contextmanager
    def guarded(self, what: str):
        """Note what is raised inside, and go on behind it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the rest of the stage is worth having
            traceback.print_exc()
            self.fail(f"{what}: {type(error).__name__}: {first_line(error)}")

    def of(self, stage: str, table: str) -> list[dict]:
        """The rows that another stage of this check wrote; none where it did not run."""
        path = self.path.parent / f"{stage}-0.json"
        return json.loads(path.read_text(encoding="utf-8"))["tables"].get(table, []) if path.exists() else []

    def _write(self) -> None:
        write_atomically(self.path, json.dumps(self._found, indent=1).encode())


def first_line(error: BaseException) -> str:
    """What an error says first."""
    return str(error).partition("\n")[0][:300]
