"""Text files that people edit, as their editors write them."""

import codecs
from pathlib import Path

import pytest

from huse_bench.errors import ConfigError
from huse_bench.text_files import read_text, read_toml


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_utf8_with_and_without_a_mark(tmp_path, mark):
    path = tmp_path / "x.toml"
    path.write_bytes(mark + 'name = "größer"'.encode())
    assert read_text(path) == 'name = "größer"'
    assert read_toml(path, "file") == {"name": "größer"}


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (
            "name = 1".encode("utf-16"),
            "x.toml is not a TOML file: it is encoded in UTF-16; save it as UTF-8; make",
        ),
        (b"name = \xff", "x.toml is not a TOML file: 'utf-8' codec can't decode byte 0xff"),
        (b"name =", "x.toml is not a TOML file: Invalid value (at end of document); make it anew"),
        (None, "cannot read the plan x.toml: No such file or directory; make it anew"),
    ],
)
def test_what_is_no_toml_says_so_with_the_cure(tmp_path, monkeypatch, contents, message):
    monkeypatch.chdir(tmp_path)
    path = Path("x.toml")
    if contents is not None:
        path.write_bytes(contents)
    with pytest.raises(ConfigError) as error:
        read_toml(path, "plan", "make it anew")
    assert str(error.value).startswith(message)
