"""The workflows: nothing of a pull request is run, and nothing of it reaches a script but by the environment."""

import re
import subprocess
import sys
import zipfile

import pytest
import yaml
from click.testing import CliRunner

from huse_bench.cli.leaderboard import leaderboard
from huse_bench.errors import UsageError
from huse_bench.leaderboard.changes import quoted
from huse_bench.leaderboard.repository import write_repository


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repository")
    write_repository(folder)
    return folder


@pytest.fixture
def workflows(written):
    paths = sorted((written / ".github" / "workflows").glob("*.yml"))
    # YAML takes the key `on` for true.
    return {path.stem: yaml.safe_load(path.read_text()) for path in paths}


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_what_is_written(tmp_path):
    result = CliRunner().invoke(leaderboard, ["init", str(tmp_path / "new")])
    assert result.exit_code == 0
    assert sorted(
        path.relative_to(tmp_path / "new").as_posix() for path in (tmp_path / "new").rglob("*") if path.is_file()
    ) == [
        ".github/leaderboard/check_comment.py",
        ".github/workflows/leaderboard-comment.yml",
        ".github/workflows/leaderboard-preview.yml",
        ".github/workflows/leaderboard.yml",
        "bundles/README.md",
    ]
    assert all("@VERSION@" not in path.read_text() for path in (tmp_path / "new").rglob("*") if path.is_file())


def test_nothing_is_overwritten_nor_half_written(tmp_path):
    (tmp_path / "bundles").mkdir()
    (tmp_path / "bundles" / "README.md").write_text("mine")
    with pytest.raises(UsageError, match=r"README.md exists already: move it away"):
        write_repository(tmp_path)
    assert not (tmp_path / ".github").exists()
    assert (tmp_path / "bundles" / "README.md").read_text() == "mine"


def test_no_expression_is_inside_a_script(workflows):
    assert len(workflows) == 3
    scripts = [step["run"] for workflow in workflows.values() for step in steps(workflow) if "run" in step]
    assert len(scripts) > 5
    assert not [script for script in scripts if "${{" in script]


def test_actions_are_pinned_and_keep_no_credentials(workflows):
    used = [step for workflow in workflows.values() for step in steps(workflow) if "uses" in step]
    for step in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"])
        if step["uses"].startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_who_reads_the_pull_request_may_not_write_and_who_writes_does_not_read_it(workflows):
    for workflow in workflows.values():
        assert "pull_request_target" not in workflow[True]
    preview, comment = workflows["leaderboard-preview"], workflows["leaderboard-comment"]
    assert set(preview[True]) == {"pull_request"}
    assert preview["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in preview["jobs"].values())
    assert "secrets." not in yaml.safe_dump(preview)
    # What is run comes from PyPI, and is called outside of what was checked out.
    for step in steps(preview):
        if "run" in step:
            assert step["working-directory"] == "${{ runner.temp }}"
            assert not re.search(r"pip install [^\n]*(-e|\.|-r|GITHUB_WORKSPACE)(\s|/|$)", step["run"])
    assert set(comment[True]) == {"workflow_run"}
    assert comment["permissions"] == {}
    job = comment["jobs"]["comment"]
    assert job["permissions"] == {"actions": "read", "contents": "read", "pull-requests": "write"}
    checkouts = [step["with"]["ref"] for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts == ["${{ github.event.repository.default_branch }}"]
    assert comment[True]["workflow_run"]["workflows"] == [preview["name"]]
    assert not any("download-artifact" in step.get("uses", "") for step in job["steps"])


def check(written, tmp_path, *members):
    with zipfile.ZipFile(tmp_path / "artifact.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    script = written / ".github" / "leaderboard" / "check_comment.py"
    comment = tmp_path / "comment.md"
    done = subprocess.run(
        [sys.executable, "-I", script, tmp_path / "artifact.zip", comment], capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) == comment.exists()
    return comment.read_text() if comment.exists() else done.stderr


def test_a_comment_of_words_and_code_passes(written, tmp_path):
    name = quoted("x | `@all` <b>")
    text = f"## Leaderboard\n\n| Result | `i2t R@1` |\n| :-- | --: |\n| {name} (tuned) | 1\u20132 to 3 |\n"
    assert check(written, tmp_path, ("comment.md", text)).endswith(text)


@pytest.mark.parametrize(
    "line",
    [
        "<script>alert(1)</script>",
        "Well done, @everyone",
        "[look](x)",
        "![x](y)",
        "https://example.org",
        "see www.example.org",
        "fixes #1",
        "GH-1",
        "an `open code span",
        "&lt;b",
        "\u202egnirts",
        "ESC \x1b[31m",
        "`code with \x07`",
        "> quoted",
        "# Title",
    ],
)
def test_a_comment_with_more_is_refused(written, tmp_path, line):
    assert "The comment is refused: 'line 2 " in check(written, tmp_path, ("comment.md", f"fine\n{line}\n"))


def test_an_artifact_of_another_shape_is_refused(written, tmp_path):
    assert "and nothing else" in check(written, tmp_path, ("../comment.md", "x"))
    assert "and nothing else" in check(written, tmp_path, ("comment.md", "x"), ("more.sh", "x"))
    assert "characters" in check(written, tmp_path, ("comment.md", "x" * 70_000))
    assert "more than 200000 bytes" in check(written, tmp_path, ("comment.md", "x" * 50_000_000))
    assert "refused" in check(written, tmp_path, ("comment.md", b"\xff\xfe"))
    (tmp_path / "artifact.zip").write_bytes(b"no zip")
