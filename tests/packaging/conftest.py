"""The distributions, built once from the working tree."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


def _build(output: Path, *options: str) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(output), *options, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _only(folder: Path, pattern: str) -> Path:
    (path,) = folder.glob(pattern)
    return path


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built straight from the working tree."""
    output = tmp_path_factory.mktemp("wheel")
    _build(output, "--wheel")
    return _only(output, "*.whl")


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel built from that sdist."""
    output = tmp_path_factory.mktemp("release")
    _build(output)
    return output


@pytest.fixture(scope="session")
def sdist(release: Path) -> Path:
    return _only(release, "*.tar.gz")


@pytest.fixture(scope="session")
def wheel_of_sdist(release: Path) -> Path:
    return _only(release, "*.whl")
