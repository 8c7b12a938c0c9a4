"""What the wheel and the sdist hold, compared with the working tree they are built from."""

import configparser
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

Contents = dict[PurePosixPath, bytes]

PACKAGES = {
    "huse_bench": "huse_bench",
    "huse_bench_backbones": "plugins/huse_bench_backbones",
    "huse_bench_datasets": "plugins/huse_bench_datasets",
    "huse_bench_losses": "plugins/huse_bench_losses",
    "huse_bench_trackers": "plugins/huse_bench_trackers",
}
TABLES = PurePosixPath("huse_bench/results/published")
PICTURES = {".bmp", ".gif", ".ico", ".jpeg", ".jpg", ".png", ".svg", ".tif", ".tiff", ".webp"}


def _files(folder: Path) -> Iterator[PurePosixPath]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield PurePosixPath(path.relative_to(folder).as_posix())


def _contents(wheel: Path) -> Contents:
    with zipfile.ZipFile(wheel) as archive:
        return {PurePosixPath(name): archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def contents(wheel: Path) -> Contents:
    return _contents(wheel)


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> PurePosixPath:
    name, version = wheel.name.split("-")[:2]
    return PurePosixPath(f"{name}-{version}.dist-info")


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def test_wheel_holds_the_packages_the_published_tables_and_nothing_else(
    contents: Contents, metadata: PurePosixPath, root: Path
) -> None:
    expected = {PurePosixPath(name) / file for name, folder in PACKAGES.items() for file in _files(root / folder)}
    expected |= {TABLES / file for file in _files(root / "results" / "published")}
    assert {path for path in contents if metadata not in path.parents} == expected


@pytest.mark.parametrize("name", PACKAGES)
def test_every_package_is_one(name: str, contents: Contents) -> None:
    assert PurePosixPath(name, "__init__.py") in contents


def test_core_is_typed(contents: Contents) -> None:
    assert PurePosixPath("huse_bench/py.typed") in contents


def test_published_tables_are_carried_unchanged(contents: Contents, root: Path) -> None:
    tables = sorted((root / "results" / "published").glob("*.json"))
    assert tables
    for table in tables:
        assert contents[TABLES / table.name] == table.read_bytes()


def test_no_pictures(contents: Contents) -> None:
    assert [path for path in contents if path.suffix.lower() in PICTURES] == []


def test_licences_are_carried_unchanged(
    contents: Contents, metadata: PurePosixPath, root: Path, project: dict[str, Any]
) -> None:
    assert "LICENSE" in project["license-files"]
    for licence in project["license-files"]:
        assert contents[metadata / "licenses" / licence] == (root / licence).read_bytes()


def test_entry_points_are_the_declared_ones_and_their_modules_are_in_the_wheel(
    contents: Contents, metadata: PurePosixPath, project: dict[str, Any]
) -> None:
    written = configparser.ConfigParser(delimiters=["="])
    written.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way to keep case
    written.read_string(contents[metadata / "entry_points.txt"].decode())
    declared = project["entry-points"] | {"console_scripts": project["scripts"]}
    assert {group: dict(written[group]) for group in written.sections()} == declared
    for group in declared.values():
        for target in group.values():
            module = PurePosixPath(*target.partition(":")[0].split("."))
            assert {module.with_suffix(".py"), module / "__init__.py"} & contents.keys(), target


def test_the_sdist_builds_the_same_wheel(contents: Contents, metadata: PurePosixPath, wheel_of_sdist: Path) -> None:
    through_sdist = _contents(wheel_of_sdist)
    assert through_sdist.keys() == contents.keys()
    # RECORD holds a hash of every other file; on its own it would only say that something differs.
    differing = {path for path in contents if contents[path] != through_sdist[path]} - {metadata / "RECORD"}
    assert differing == set()


def test_the_sdist_holds_what_testing_it_takes_and_no_runs(sdist: Path, root: Path) -> None:
    with tarfile.open(sdist) as archive:
        files = [PurePosixPath(*PurePosixPath(member.name).parts[1:]) for member in archive if member.isfile()]
    tops = {path.parts[0] for path in files}
    assert {"LICENSE", "README.md", "SECURITY.md", "pyproject.toml", "tests", "tox.ini"} <= tops
    results = {path for path in files if path.parts[0] == "results"}
    assert results == {PurePosixPath("results/published") / file for file in _files(root / "results" / "published")}


def test_templates_of_pages_are_carried(contents: Contents, root: Path) -> None:
    folder = PurePosixPath("huse_bench/report/html/templates")
    templates = list(_files(root / folder))
    assert {path.suffix for path in templates} == {".css", ".html", ".js"}
    assert all(contents[folder / path] == (root / folder / path).read_bytes() for path in templates)
