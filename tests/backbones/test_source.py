"""Where a model's files come from: folders, the hub's cache, and a hub that is served here."""

import hashlib
import importlib
import json
import shutil
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from huse_bench import errors
from huse_bench_backbones._source import locate

COMMIT = "c0ffee" + "0" * 34
NEWER = "decade" + "0" * 34
FILES = {"config.json": b'{"model_type": "vit"}', "vocab.txt": b"a\nb\n", "model.safetensors": b"weights"}


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    for name, content in FILES.items():
        (made / name).write_bytes(content)
    return made


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The hub's client with an empty cache and nobody to ask."""
    client = pytest.importorskip("huggingface_hub", reason="huggingface-hub is not installed")
    importlib.import_module("huggingface_hub.constants")
    monkeypatch.setattr(client.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    # No name of this domain can exist.
    monkeypatch.setattr(client.constants, "ENDPOINT", "https://hub.invalid")
    return client


class _Hub(BaseHTTPRequestHandler):
    """As much of the hub as its client asks for: a branch's commit, the list of files, and the files."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self._answer()

    def _answer(self) -> None:
        if self.path.startswith("/api/models/our/vit/revision/"):
            files = [{"rfilename": name} for name in self.server.files]
            self._send(json.dumps({"id": "our/vit", "sha": self.server.commit, "siblings": files}).encode())
        elif self.path.startswith("/api/models/our/vit/tree/"):
            self._send(json.dumps([_entry(name, content) for name, content in self.server.files.items()]).encode())
        elif self.path.startswith("/our/vit/resolve/") and (name := self.path.rpartition("/")[2]) in self.server.files:
            self._send(self.server.files[name])
        else:
            self.send_response(404)
            if "/nobody/" in self.path:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()

    def _send(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT if COMMIT in self.path else self.server.commit)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_) -> None:
        pass


def _entry(name: str, content: bytes) -> dict:
    return {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}


@pytest.fixture
def served(hub, monkeypatch):
    """A hub with one model."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    server.commit, server.files, server.asked = COMMIT, dict(FILES), []
    thread = Thread(target=partial(server.serve_forever, poll_interval=0.05))
    thread.start()
    monkeypatch.setattr(hub.constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    template = hub.constants.ENDPOINT + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_folder_is_known_by_its_content(folder, tmp_path) -> None:
    source = locate("hf-image", str(folder), "a/b")
    assert (source.folder, source.weights(), source.commit) == (folder, folder, None)
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder, moved)
    (moved / "README.md").write_text("not read by the model")
    assert locate("hf-image", str(moved), "a/b").revision == source.revision
    assert source.revision.startswith("sha256-")


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_another_revision(folder, name) -> None:
    before = locate("hf-image", str(folder), "a/b").revision
    (folder / name).write_bytes(FILES[name] + b" ")
    assert locate("hf-image", str(folder), "a/b").revision != before


def test_files_of_the_system_are_no_content(folder) -> None:
    revision = locate("hf-image", str(folder), "a/b").revision
    for name in ("._model.safetensors", "._config.json", ".DS_Store"):
        (folder / name).write_bytes(b"\0\5\x16\7")
    assert locate("hf-image", str(folder), "a/b").revision == revision


def test_a_folder_of_the_home_is_found(folder, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert locate("hf-image", "~/model", "a/b").folder == folder


@pytest.mark.parametrize("reference", [None, ""])
def test_a_model_must_be_named(reference) -> None:
    message = r"needs a model: write hf-image:MODEL, .* or the folder of a model, such as hf-image:google/vit"
    with pytest.raises(errors.ConfigError, match=message):
        locate("hf-image", reference, "google/vit")


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_that_is_no_model(folder, missing) -> None:
    (folder / missing).unlink()
    with pytest.raises(errors.DataError, match=rf"has no {missing}.*save_pretrained"):
        locate("hf-image", str(folder), "a/b")


def test_a_folder_with_the_older_weights_only(folder) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert locate("hf-image", str(folder), "a/b").revision.startswith("sha256-")


def test_a_path_that_is_no_folder(folder) -> None:
    with pytest.raises(errors.DataError, match=r"model\.safetensors is a file; give the folder"):
        locate("hf-image", str(folder / "model.safetensors"), "a/b")
    for path in ("./nowhere", "/no/where", "~/nowhere", "a/b/c"):
        with pytest.raises(errors.DataError, match=r"nowhere does not exist|where does not exist|a/b/c does not exist"):
            locate("hf-image", path, "a/b")


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_configuration_that_is_none(folder, content) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(errors.DataError, match=r"config\.json (cannot be read|is not a JSON object)"):
        locate("hf-image", str(folder), "a/b").config()


@pytest.mark.parametrize("offline", [False, True])
def test_a_hub_out_of_reach_is_said_at_once(hub, offline, monkeypatch) -> None:
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", offline)
    start = time.monotonic()
    with pytest.raises(errors.DataError) as caught:
        locate("hf-text", "our/bert", "a/b")
    assert time.monotonic() - start < 5
    message = str(caught.value)
    assert "'our/bert' is no folder here, is not in the cache" in message
    assert "hf download our/bert --local-dir FOLDER" in message
    assert "hf-text:FOLDER" in message
    assert len(message.splitlines()) == 1


@pytest.mark.usefixtures("hub")
def test_something_that_can_be_no_model() -> None:
    with pytest.raises(errors.DataError, match="'no model!' is neither a folder nor a model id"):
        locate("hf-text", "no model!", "a/b")


def test_a_model_of_the_cache_needs_no_hub(hub, folder) -> None:
    _cache(hub, folder)
    source = locate("hf-image", "our/vit", "a/b")
    assert source.revision == source.commit == COMMIT
    assert source.config() == {"model_type": "vit"}
    assert (source.weights() / "model.safetensors").read_bytes() == b"weights"


def test_a_cache_without_the_weights_is_said(hub, folder) -> None:
    (folder / "model.safetensors").unlink()
    _cache(hub, folder)
    start = time.monotonic()
    with pytest.raises(errors.DataError, match=r"cannot be fetched .*hf download our/vit"):
        locate("hf-image", "our/vit", "a/b").weights()
    assert time.monotonic() - start < 5


def _cache(hub, folder: Path) -> None:
    model = Path(hub.constants.HF_HUB_CACHE) / "models--our--vit"
    shutil.copytree(folder, model / "snapshots" / COMMIT)
    (model / "refs").mkdir()
    (model / "refs/main").write_text(COMMIT)


@pytest.mark.usefixtures("served")
def test_weights_are_fetched_when_they_are_needed() -> None:
    source = locate("hf-image", "our/vit", "a/b")
    assert source.revision == COMMIT
    assert not (source.folder / "model.safetensors").exists()
    assert (source.folder / "vocab.txt").read_bytes() == b"a\nb\n"
    assert (source.weights() / "model.safetensors").read_bytes() == b"weights"


def test_a_fetched_model_stays_what_it_is(served) -> None:
    first = locate("hf-image", "our/vit", "a/b")
    served.commit = NEWER
    served.files["config.json"] = b'{"model_type": "newer"}'
    served.asked.clear()
    again = locate("hf-image", "our/vit", "a/b")
    assert again == first
    assert served.asked == []
    assert (again.weights() / "model.safetensors").read_bytes() == b"weights"


def test_older_weights_are_fetched_where_there_are_no_others(served) -> None:
    served.files["pytorch_model.bin"] = served.files.pop("model.safetensors")
    assert (locate("hf-image", "our/vit", "a/b").weights() / "pytorch_model.bin").read_bytes() == b"weights"


def test_weights_of_other_frameworks_are_not_enough(served) -> None:
    served.files["tf_model.h5"] = served.files.pop("model.safetensors")
    with pytest.raises(errors.DataError, match=r"no weights that can be read .*a complete copy"):
        locate("hf-image", "our/vit", "a/b").weights()


@pytest.mark.usefixtures("served")
def test_a_model_that_the_hub_does_not_have() -> None:
    with pytest.raises(errors.DataError, match=r"has no model 'nobody/vit'.*hf auth login.*hf-image:/path/to/folder"):
        locate("hf-image", "nobody/vit", "a/b")
