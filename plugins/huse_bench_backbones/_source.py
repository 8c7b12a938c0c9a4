"""Where a pretrained model's files are: a folder of the user, or the Hugging Face Hub through its cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from huse_bench import errors
from huse_bench_backbones._extras import require

__all__ = ["REFERENCE", "Source", "content_hash", "locate"]

#: What a user may write after the colon of a backbone that is located here.
REFERENCE = "a model id of the Hugging Face Hub, or the folder of a model"

_TIMEOUT = 10  # seconds
_SMALL = ("*.json", "*.txt", "*.model")
# In order of preference; a model needs one of them.
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


@dataclass(frozen=True)
class Source:
    """The files of one model.

    Attributes:
        backbone: name of the backbone that reads them, for messages.
        reference: what the user wrote.
        folder: where configuration and tokenizer are.
        revision: the hub's commit, or a hash of the files' content.
        commit: the hub's commit; None for a folder of the user.
    """

    backbone: str
    reference: str
    folder: Path
    revision: str
    commit: str | None

    def config(self) -> dict[str, Any]:
        """What ``config.json`` says; raises DataError where it is no JSON object."""
        path = self.folder / "config.json"
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise self.error(f"{path} cannot be read ({error})") from error
        if not isinstance(content, dict):
            raise self.error(f"{path} is not a JSON object")
        return content

    def weights(self) -> Path:
        """The folder with the weights in it as well, fetched now where they are not on this machine."""
        if self.commit is None:
            return self.folder
        for pattern in _WEIGHTS:
            if cached := _cached(self.reference, pattern, self.commit):
                return cached
        for pattern in _WEIGHTS:
            if any(fnmatch(name, pattern) for name in _listed(self.backbone, self.reference, self.commit)):
                return _fetched(self.backbone, self.reference, pattern, self.commit)
        raise self.error(f"it has no weights that can be read ({' or '.join(_WEIGHTS)})")

    def error(self, problem: str) -> errors.DataError:
        """What is wrong with this model, and what to do instead."""
        return errors.DataError(
            f"the model {self.reference!r} cannot be used by {self.backbone}: {problem}. Name another model as "
            f"{self.backbone}:MODEL, or the folder of a complete copy as {self.backbone}:/path/to/folder"
        )


def locate(backbone: str, reference: str | None, example: str) -> Source:
    """Find a model by what the user wrote, reading none of its weights but to hash those in a folder of the user.

    A model that is in the cache of the Hugging Face Hub is used as it is there, without asking the hub for a newer one;
    of another one only the small files are fetched.

    Args:
        backbone: name of the backbone, for messages.
        reference: a folder, or else a model id; None where the user gave none.
        example: a model id that would do, for messages.

    Returns:
        Where its files are.

    Raises:
        ConfigError: if no model was named.
        DataError: if there is no such model, or the hub cannot be reached.
    """
    if not reference:
        raise errors.ConfigError(
            f"the backbone {backbone!r} needs a model: write {backbone}:MODEL, where MODEL is {REFERENCE}, "
            f"such as {backbone}:{example}"
        )
    folder = Path(reference).expanduser()
    if folder.is_dir():
        return _local(backbone, reference, folder)
    if folder.exists() or reference.startswith((".", "~", "/")) or reference.count("/") > 1 or "\\" in reference:
        found = "is a file" if folder.exists() else "does not exist"
        raise errors.DataError(
            f"{backbone}: {reference} {found}; give the folder of a model, with its config.json and model.safetensors"
        )
    snapshot = _cached(reference, "config.json") or _fetched(backbone, reference, "config.json")
    return Source(backbone, reference, snapshot, revision=snapshot.name, commit=snapshot.name)


def _local(backbone: str, reference: str, folder: Path) -> Source:
    weights = next((found for pattern in _WEIGHTS if (found := _visible(folder, pattern))), [])
    if not weights or not (folder / "config.json").is_file():
        missing = "config.json" if weights else "model.safetensors (nor pytorch_model.bin)"
        raise errors.DataError(
            f"{backbone}: the folder {folder} has no {missing}; give a folder as save_pretrained writes it, or as "
            "'hf download' fetches it"
        )
    files = [*weights, *(path for pattern in _SMALL for path in _visible(folder, pattern))]
    return Source(backbone, reference, folder, revision=content_hash(folder, files), commit=None)


def _visible(folder: Path, pattern: str) -> list[Path]:
    # A Mac writes ._model.safetensors beside model.safetensors on disks that are not its own.
    return [path for path in folder.glob(pattern) if not path.name.startswith(".")]


def content_hash(folder: Path, files: Sequence[Path]) -> str:
    """A name for the content of files, which stays when they are moved or copied.

    Args:
        folder: what the files' names are relative to.
        files: the files, in any order.

    Returns:
        ``sha256-`` and 16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for path in sorted(files):
        with path.open("rb") as content:
            of_file = hashlib.file_digest(content, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{of_file}\n".encode())
    return f"sha256-{digest.hexdigest()[:16]}"


def _cached(model: str, needed: str, commit: str | None = None) -> Path | None:
    hub = require("huggingface_hub", model, "hf", "huggingface-hub")
    patterns = [*_SMALL, needed]
    try:
        folder = Path(hub.snapshot_download(model, revision=commit, allow_patterns=patterns, local_files_only=True))
    except (OSError, ValueError):
        # Not there, or not whole, or no id at all: what is wrong is said by who asks the hub next.
        return None
    return folder if any(folder.glob(needed)) else None


def _fetched(backbone: str, model: str, needed: str, commit: str | None = None) -> Path:
    with _hub_errors(backbone, model) as hub:
        return Path(hub.snapshot_download(model, revision=commit, allow_patterns=[*_SMALL, needed]))


def _listed(backbone: str, model: str, commit: str) -> list[str]:
    # Unlike a download, it gives up at once where there is no network.
    with _hub_errors(backbone, model) as hub:
        return [file.rfilename for file in hub.HfApi().model_info(model, revision=commit, timeout=_TIMEOUT).siblings]


@contextmanager
def _hub_errors(backbone: str, model: str) -> Iterator[Any]:
    hub = require("huggingface_hub", backbone, "hf", "huggingface-hub")
    problems = require("huggingface_hub.errors", backbone, "hf", "huggingface-hub")
    try:
        yield hub
    except problems.HFValidationError as error:
        raise errors.DataError(
            f"{backbone}: {model!r} is neither a folder nor a model id of the Hugging Face Hub, which is such as "
            "'google/vit-base-patch16-224'"
        ) from error
    except problems.RepositoryNotFoundError as error:
        raise errors.DataError(
            f"{backbone}: the Hugging Face Hub has no model {model!r}, or it is not open to you (then: hf auth login). "
            f"Check the id, or name the folder of a copy: {backbone}:/path/to/folder"
        ) from error
    except Exception as error:
        # The client lets the errors of three libraries through.
        cause = next(iter(f"{error.__cause__ or error}".strip().splitlines()), type(error).__name__)
        raise errors.DataError(
            f"{backbone}: {model!r} is no folder here, is not in the cache ({hub.constants.HF_HUB_CACHE}), and cannot "
            f"be fetched from the Hugging Face Hub ({cause}). Where there is a network, fetch it with: "
            f"hf download {model} --local-dir FOLDER; then name that folder: {backbone}:FOLDER"
        ) from error
