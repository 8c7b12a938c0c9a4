"""The files that make a repository of bundles a leaderboard on GitHub."""

from __future__ import annotations

from pathlib import Path

from huse_bench.errors import ResultsError, UsageError
from huse_bench.files import write_atomically
from huse_bench.version import installed_version

__all__ = ["write_repository"]

_TEMPLATES = Path(__file__).parent / "templates" / "repository"

# Where each file goes.
_PLACES = {
    "leaderboard.yml": ".github/workflows/leaderboard.yml",
    "leaderboard-preview.yml": ".github/workflows/leaderboard-preview.yml",
    "leaderboard-comment.yml": ".github/workflows/leaderboard-comment.yml",
    "check_comment.py": ".github/leaderboard/check_comment.py",
    "README.md": "bundles/README.md",
}


def write_repository(folder: Path) -> list[Path]:
    """Write the workflows and a README to a repository.

    Args:
        folder: of the repository; it is made where it is missing.

    Returns:
        The files.

    Raises:
        UsageError: if one of the files is there already; nothing is written then.
        ResultsError: if the disk refuses.
    """
    paths = {name: folder / place for name, place in _PLACES.items()}
    if there := [path for path in paths.values() if path.exists() or path.is_symlink()]:
        raise UsageError(f"{there[0]} exists already: move it away, or choose another folder and compare")
    try:
        for name, path in paths.items():
            text = (_TEMPLATES / name).read_text(encoding="utf-8").replace("@VERSION@", installed_version())
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text.encode())
    except OSError as error:
        raise ResultsError(f"cannot write to {folder} ({error.strerror or error}); choose another folder") from error
    return list(paths.values())
