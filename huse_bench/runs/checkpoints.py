"""Checkpoints: the state of a training in files that are whole or are not taken, and that hold no code."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from huse_bench.errors import ResultsError
from huse_bench.files import is_incidental, write_atomically
from huse_bench.untrusted import safetensors_header

__all__ = ["ENDING", "FORMAT", "Checkpoints"]

#: What a run's folder of checkpoints has behind the name of its record.
ENDING = ".checkpoint"

#: Of the files; others are not read.
FORMAT = 1

# Where a file says what is no tensor.
_KEY = "huse-bench"

# Digits of its hash that a file has in its name.
_DIGITS = 16


class Checkpoints:
    """The checkpoints of one run: the last, and the one before it.

    Each is one safetensors file, whose metadata say as JSON what is no tensor. Its name begins with the step and ends
    with digits of its hash, so that a torn file is known without another. Nothing in it is code.

    Args:
        folder: of this run alone; it is made by the first checkpoint.
        fingerprint: of the run.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self._good: list[Path] = []

    def write(self, step: int, state: Mapping[str, Any]) -> int:
        """Write a checkpoint, and remove all but it and the one before it.

        Args:
            step: after which it is taken.
            state: tensors, strings, numbers, truth values and None in dicts, lists and tuples.

        Returns:
            Its size in bytes.

        Raises:
            ResultsError: if the state holds something else, or the disk refuses; what was there before is still there.
        """
        contents = _contents({"format": FORMAT, "fingerprint": self._fingerprint, "step": step}, state)
        path = self._folder / f"step-{step:09d}-{_digits(contents)}.safetensors"
        try:
            self._folder.mkdir(exist_ok=True)
            try:
                write_atomically(path, contents)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT) or len(self._good) < 2:
                    raise
                # Room for two good ones but not for a third: the older is worth less than the new one.
                self._keep(1)
                write_atomically(path, contents)
        except OSError as error:
            raise ResultsError(f"cannot write to {self._folder} ({error.strerror or error})") from error
        self._good = [*(good for good in self._good if good != path), path]
        self._keep(2)
        return len(contents)

    def newest(self) -> tuple[Mapping[str, Any] | None, list[str]]:
        """The last state that can be used.

        Returns:
            The state, or None where there is none, and a line for each file that is newer and cannot be used.
        """
        problems = []
        for path in sorted(self._files(), reverse=True):
            try:
                state = self._read(path)
            except (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                problems.append(f"the checkpoint {path} is left out: {reason or type(error).__name__}")
            else:
                self._good = [path]
                return state, problems
        return None, problems

    def remove(self) -> None:
        """Remove all of them; one that cannot be removed is left."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._good = []

    def _files(self) -> list[Path]:
        return [path for path in self._folder.glob("*.safetensors") if not is_incidental(path)]

    def _keep(self, count: int) -> None:
        """Remove all files, those of killed processes among them, but the last good ones."""
        self._good = self._good[-count:]
        for path in self._folder.iterdir():
            if path not in self._good:
                path.unlink(missing_ok=True)

    def _read(self, path: Path) -> Mapping[str, Any]:
        contents = path.read_bytes()
        if not path.stem.endswith(f"-{_digits(contents)}"):
            raise ValueError("it is torn or was changed")
        document = json.loads(safetensors_header(io.BytesIO(contents)).metadata[_KEY])
        if document["format"] != FORMAT:
            raise ValueError(f"it has format {document['format']!r}, and this huse-bench reads format {FORMAT}")
        if document["fingerprint"] != self._fingerprint:
            raise ValueError("it is of another run")
        state = _decoded(document["state"], load(contents))
        if not isinstance(state, dict):
            raise TypeError("its state is no dict")
        return state


def _digits(contents: bytes) -> str:
    return hashlib.sha256(contents).hexdigest()[:_DIGITS]


def _contents(facts: Mapping[str, Any], state: Mapping[str, Any]) -> bytes:
    tensors: dict[str, Tensor] = {}
    document = {**facts, "state": _encoded(state, "state", tensors, {})}
    return save(tensors, {_KEY: json.dumps(document)})


def _encoded(value: object, where: str, tensors: dict[str, Tensor], known: dict[object, str]) -> object:
    """A value as JSON; tensors are put aside under numbers, each once, however often it is there."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Tensor):
        # Heads may be shared, and safetensors refuses two names for one memory.
        same = (value.data_ptr(), value.shape, value.stride(), value.dtype, value.device) if value.numel() else object()
        if same not in known:
            known[same] = str(len(tensors))
            tensors[known[same]] = value.detach().cpu().contiguous()
        return {"tensor": known[same]}
    if isinstance(value, Mapping):
        if all(type(key) in (str, int) for key in value):
            # As pairs, since the keys of an optimiser's state are numbers.
            pairs = [[key, _encoded(item, f"{where}.{key}", tensors, known)] for key, item in value.items()]
            return {"dict": pairs}
    elif isinstance(value, list | tuple):
        items = [_encoded(item, f"{where}[{index}]", tensors, known) for index, item in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    raise ResultsError(f"{where} is a {type(value).__name__}, and a checkpoint holds tensors and plain values alone")


def _decoded(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_decoded(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, held),) = value.items()
    if kind == "tensor":
        return tensors[held]
    if kind == "tuple":
        return tuple(_decoded(item, tensors) for item in held)
    return {key: _decoded(item, tensors) for key, item in held}
