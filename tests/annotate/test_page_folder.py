"""How a run of the page begins and goes on."""

from __future__ import annotations

import hashlib
import json
import socket
import stat
import sys
import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import spacy
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_seqmix.active.config import read_active_config
from spacy_seqmix.active.journal import LOCKED_EXIT_CODE
from spacy_seqmix.active.pool_files import files_of
from spacy_seqmix.annotate.page import start
from spacy_seqmix.annotate.page.folder import PageFolder, begin, go_on
from spacy_seqmix.annotate.page.labels import read_labels
from spacy_seqmix.annotate.page.serve import alone, bind, serve
from spacy_seqmix.annotate.page.start import NewRun, config_of, shipped_config
from spacy_seqmix.annotation.lazy_docs import lazy_docs
from spacy_seqmix.cli import app
from spacy_seqmix.config import load_config
from spacy_seqmix.errors import SeqMixError


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("Mara Quill left.\n\nNobody came.\n", "utf8")
    return path


def new_run(texts, **more):
    return NewRun((texts,), ("PER", "ORG"), fast=True, **more)


def code_of(function, *args, **more):
    with pytest.raises(SeqMixError) as caught:
        function(*args, **more)
    return caught.value.code


def test_page_folder_begins_and_goes_on(tmp_path, texts):
    folder = PageFolder(tmp_path / "run")
    assert not folder.exists
    settings = begin(folder, new_run(texts), {}, blind=0.1)
    assert folder.exists
    assert (settings.texts, settings.blind) == (str(texts), 0.1)
    assert len(settings.token) >= 32
    assert stat.S_IMODE(folder.settings_path.stat().st_mode) == 0o600
    again = go_on(folder, NewRun((), ("PER", "ORG", "LOC")), {})
    assert again == settings
    labels = json.loads(folder.labels_path.read_text("utf8"))
    assert [label["name"] for label in labels] == ["PER", "ORG", "LOC"]
    aside = {"dev_min": 30, "dev_share": 0.2}
    assert folder.facts() == {"lang": "en", **aside, "texts": str(texts)}
    assert go_on(folder, NewRun((texts,)), {}, blind=0.3).blind == 0.3
    assert folder.read().blind == 0.3


def test_page_folder_is_finished_after_a_kill_at_its_beginning(tmp_path, texts, monkeypatch):
    folder = PageFolder(tmp_path / "run")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(PageFolder, "write", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        begin(folder, new_run(texts), {})
    assert not folder.exists
    begin(folder, NewRun((texts,), ("LOC",), fast=True), {})
    assert [label["name"] for label in json.loads(folder.labels_path.read_text("utf8"))] == ["LOC"]


def test_page_folder_refuses_other_texts_labels_and_settings(tmp_path, texts):
    folder = PageFolder(tmp_path / "run")
    begin(folder, new_run(texts, batch=5), {"active.seed": 1})
    go_on(folder, new_run(texts, batch=5), {"active.seed": 1})
    other = tmp_path / "other.txt"
    other.write_text("Other.\n", "utf8")
    assert code_of(go_on, folder, NewRun((other,)), {}) == "S684"
    go_on(folder, NewRun((), ("PER", "ORG", "role")), {})
    answer = {"key": "0-0123456789", "state": "labelled", "text": "Ana"}
    answer["spans"] = [{"start": 0, "end": 3, "label": "ORG"}]
    folder.answers_path.write_text(json.dumps(answer) + "\n", "utf8")
    assert code_of(go_on, folder, NewRun((), ("PER",)), {}) == "S681"
    go_on(folder, NewRun((), ("PER", "ORG")), {})  # no text has the other one
    assert [one.name for one in read_labels(folder.labels_path)] == ["PER", "ORG"]
    assert code_of(go_on, folder, NewRun((), batch=6), {}) == "S691"
    assert code_of(go_on, folder, NewRun((), encoder="x"), {}) == "S691"
    assert code_of(go_on, folder, NewRun(()), {"active.seed": 2}) == "S691"


def test_page_folder_refuses_folders_of_others(tmp_path, texts):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "letter.txt").write_text("", "utf8")
    assert code_of(begin, PageFolder(tmp_path / "run"), new_run(texts), {}) == "S407"
    assert code_of(begin, PageFolder(tmp_path / "new"), NewRun(()), {}) == "S685"
    assert code_of(begin, PageFolder(tmp_path / "new"), NewRun((texts,)), {}) == "S682"
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty.txt", b"", "S688"),
        ("blank.txt", b" \n\n\t\n", "S688"),
        ("missing.txt", None, "S501"),
        ("latin.txt", "Größe\n".encode("latin1"), "S501"),
        ("texts.jsonl", b'{"text": 3}\n', "S610"),
        ("texts.csv", b"a,b\n", "S403"),
        ("missing.spacy", None, "S600"),
    ],
)
def test_page_folder_refuses_texts_that_are_none(tmp_path, name, content, code):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert code_of(begin, PageFolder(tmp_path / "run"), new_run(path), {}) == code
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["cnn", "transformer"])
def test_page_configs_are_whole(tmp_path, texts, name):
    DocBin(docs=[spacy.blank("en")("x")]).to_disk(tmp_path / "pool.spacy")
    config = load_config(shipped_config(name), {"active.pool": str(texts)})
    read = read_active_config(config)
    assert config["active"]["policy"] == {"@misc": "spacy-seqmix.TagCount.v1"}  # measured best
    assert read.active.dev is None
    assert read.active.n_rounds is None
    assert not read.active.oracle.needs_gold


def test_page_configs_take_the_options(tmp_path, texts):
    dev = tmp_path / "dev.spacy"
    DocBin(docs=[spacy.blank("zh")("王强")]).to_disk(dev)
    config = config_of(new_run(texts, batch=7, dev=dev, lang="zh"), {"active.seed": 3})
    active = config["active"]
    assert (active["n_seed"], active["n_query"], active["seed"]) == (7, 7, 3)
    assert (active["pool"], active["dev"]) == (str(texts), str(dev))
    assert config["nlp"]["lang"] == "zh"
    assert active["oracle"] == {"@misc": "spacy-seqmix.Page.v1"}


def test_page_configs_of_ones_own_get_the_texts_and_the_oracle(tmp_path, texts):
    own = tmp_path / "own.cfg"
    own.write_text(f'[active]\nextends = "{shipped_config("cnn")}"\nn_seed = 5\n', "utf8")
    config = config_of(NewRun((texts,), ("PER",), config=own), {})
    assert config["active"]["n_seed"] == 5
    assert config["active"]["pool"] == str(texts)
    assert "extends" not in config["active"]


def test_page_configs_take_a_cnn_where_no_encoder_can_be_had(texts, monkeypatch):
    monkeypatch.setattr(start, "ENCODERS", {"": "package:no_such_package/model"})
    with pytest.warns(UserWarning, match=r"^\[W680\]"):
        config = config_of(NewRun((texts,), ("PER",)), {})
    assert config["nlp"]["pipeline"] == ["tok2vec", "seqmix_ner"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wanted = NewRun((texts,), ("PER",), encoder="package:no_such_package/model")
        assert code_of(config_of, wanted, {}) == "S224"


@pytest.mark.parametrize(
    "options",
    [
        {"fast": True, "encoder": "x"},
        {"config": "x.cfg", "fast": True},
        {"config": "x.cfg", "lang": "de"},
        {"config": "x.cfg", "encoder": "x"},
    ],
)
def test_page_configs_refuse_options_that_contradict(texts, options):
    assert code_of(config_of, NewRun((texts,), ("PER",), **options), {}) == "S690"


def test_page_serve_takes_another_port_unless_one_is_asked_for():
    with bind("127.0.0.1", None) as one, bind("127.0.0.1", None) as two:
        numbers = {one.getsockname()[1], two.getsockname()[1]}
        assert len(numbers) == 2
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        assert code_of(bind, "127.0.0.1", number) == "S687"
    assert code_of(bind, "no.such.host.invalid", None) == "S687"


def test_page_serve_takes_the_usual_port_where_it_is_free():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        bind("127.0.0.1", None, number).close()
    with bind("127.0.0.1", None, number) as usual:
        assert usual.getsockname()[1] == number


def test_page_folder_refuses_texts_that_have_changed(tmp_path, texts):
    folder = PageFolder(tmp_path / "run")
    begin(folder, new_run(texts), {})
    with texts.open("a") as file:
        file.write("One more.\n")
    assert code_of(go_on, folder, NewRun((), ("PER", "ORG", "NEW")), {}) == "S689"
    assert "NEW" not in folder.labels_path.read_text("utf8")
    texts.unlink()
    assert code_of(go_on, folder, NewRun(()), {}) == "S411"


def test_page_folder_of_older_versions_goes_on(tmp_path, texts):
    """One file is named and summed up as it was when there could be no more."""
    folder = PageFolder(tmp_path / "run")
    settings = begin(folder, new_run(texts), {})
    found = json.loads(folder.settings_path.read_text("utf8"))
    assert found["texts"] == str(texts)
    assert found["digest"] == hashlib.sha256(texts.read_bytes()).hexdigest()
    assert load_config(folder.config_path, {})["active"]["pool"] == str(texts)
    assert settings.title == "texts.txt"
    del found["digest"]
    folder.settings_path.write_text(json.dumps(found), "utf8")
    assert go_on(folder, new_run(texts), {}).digest is None


@pytest.fixture
def many(tmp_path):
    """A folder of texts of several kinds."""
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / "b.txt").write_text("Mara Quill left.\n", "utf8")
    (folder / "a.jsonl").write_text('{"text": "Nobody came."}\n', "utf8")
    (folder / "empty.txt").write_text("\n", "utf8")
    pq.write_table(pa.table({"text": ["Ana came."]}), folder / "c.parquet")
    return folder


@pytest.mark.parametrize(
    ("given", "title", "keys"),
    [
        (["many"], "many", "0-a.jsonl 1-b.txt 2-c.parquet"),
        (["many/*.txt"], "*.txt", "0-b.txt"),
        (["many/c.parquet", "many/a.jsonl"], "c.parquet, a.jsonl", "0-c.parquet 1-a.jsonl"),
        (["many/c.parquet"], "c.parquet", "0-c.parquet"),
        (["many/*.txt", "many"], "*.txt, many", "0-b.txt 2-a.jsonl 3-c.parquet"),
    ],
)
def test_page_folder_takes_files_patterns_and_folders(
    tmp_path, many, monkeypatch, blank_en, given, title, keys
):
    monkeypatch.chdir(tmp_path)
    new = NewRun(tuple(map(Path, given)), ("PER",), fast=True)
    folder = PageFolder(tmp_path / "run")
    settings = begin(folder, new, {})
    assert settings.title == title
    shown = folder.facts()["texts"]
    assert shown == (str(tmp_path / given[0]) if len(given) == 1 else None)
    pool = read_active_config(load_config(folder.config_path, {})).active.pool
    docs = lazy_docs(files_of(pool), blank_en)
    of = {"Mara Quill left.": "b.txt", "Nobody came.": "a.jsonl", "Ana came.": "c.parquet"}
    assert " ".join(f"{i}-{of[docs[i].text]}" for i in docs) == keys
    # It goes on from wherever it is called, with the same texts or with none.
    assert go_on(folder, new, {}) == settings
    monkeypatch.chdir(many)
    assert go_on(folder, NewRun(()), {}) == settings
    absolute = tuple(tmp_path / one for one in given)
    assert go_on(folder, NewRun(absolute), {}) == settings
    assert code_of(go_on, folder, NewRun((*absolute, many / "b.txt")), {}) == "S684"
    # What is there stays as it is.
    file = many / ("c.parquet" if "c.parquet" in keys else "b.txt")
    content = file.read_bytes()
    file.write_bytes(content + b"x")
    assert code_of(go_on, folder, NewRun(()), {}) == "S689"
    file.write_bytes(content)
    assert go_on(folder, NewRun(()), {}) == settings
    (many / "new.txt").write_text("One more.\n", "utf8")
    if "many" in given or "many/*.txt" in given:
        assert code_of(go_on, folder, NewRun(()), {}) == "S689"
    else:
        assert go_on(folder, NewRun(()), {}) == settings


def test_page_folder_refuses_texts_of_which_none_can_be_used(tmp_path, many, monkeypatch):
    def begun(*names):
        new = NewRun(tuple(tmp_path / name for name in names), ("PER",), fast=True)
        return code_of(begin, PageFolder(tmp_path / "run"), new, {})

    assert begun("many/*.csv") == "S403"
    assert begun("many", "other.txt") == "S501"
    assert begun("many/e*.txt") == "S688"
    (many / "d.parquet").write_bytes(b"x")
    assert begun("many") == "S501"
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert begun("many/c.parquet") == "S750"
    assert not (tmp_path / "run").exists()


def test_page_folder_refuses_dev_docs_that_are_none(tmp_path, texts):
    wanted = new_run(texts, dev=tmp_path / "missing.spacy")
    assert code_of(begin, PageFolder(tmp_path / "run"), wanted, {}) == "S403"
    assert not (tmp_path / "run").exists()


def invoke(*args):
    return CliRunner().invoke(app, ["annotate", *map(str, args)])


def test_page_command_says_what_is_wrong(tmp_path, texts):
    assert "[S685]" in invoke(tmp_path / "run").output
    assert "[S682]" in invoke(tmp_path / "run", "--texts", texts).output
    assert "[S680]" in invoke(tmp_path / "run", "--texts", texts, "--labels", "A,,B").output
    wrong = invoke(tmp_path / "run", "--texts", tmp_path / "no.txt", "--labels", "A", "--fast")
    assert wrong.exit_code == 1
    assert "[S501]" in wrong.output
    more = ("--texts", texts, "--texts", tmp_path / "*.csv", "--labels", "A", "--fast")
    assert "[S403]" in invoke(tmp_path / "run", *more).output
    assert not (tmp_path / "run").exists()


def test_page_command_that_is_refused_changes_nothing(tmp_path, texts):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        wanted = ("--texts", texts, "--labels", "A", "--fast", "--port", port)
        assert "[S687]" in invoke(tmp_path / "run", *wanted).output
    assert not (tmp_path / "run").exists()
    folder = PageFolder(tmp_path / "run")
    settings = begin(folder, new_run(texts), {})
    before = folder.labels_path.read_bytes()
    with alone(folder, "http://127.0.0.1:8642/"):
        refused = invoke(tmp_path / "run", "--labels", "PER,ORG,NEW")
    assert refused.exit_code == LOCKED_EXIT_CODE
    shown = "".join(refused.output.split())
    assert "[S412]" in shown
    assert f"http://127.0.0.1:8642/?token={settings.token}" in shown
    assert folder.labels_path.read_bytes() == before


def test_page_command_names_the_option_that_was_meant(tmp_path, texts):
    assert "Did you mean --labels?" in invoke(tmp_path / "run", "--label", "PER").output
    assert "Did you mean" not in invoke(tmp_path / "run", "--xyzzy", "PER").output


def test_page_command_says_how_to_save_texts(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes(b"Caf\xe9\n")
    shown = " ".join(invoke(tmp_path / "run", "--texts", path, "--labels", "A").output.split())
    assert "byte 4 of the file, in line 1, is not UTF-8; save the file as UTF-8" in shown


def test_page_command_says_what_to_install(tmp_path, texts, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "uvicorn", None)
    shown = invoke(tmp_path / "run", "--texts", texts, "--labels", "A")
    assert "[S686]" in shown.output
    assert "pip install 'spacy-seqmix[annotate]'" in " ".join(shown.output.split())


def test_page_serve_says_that_the_page_has_moved_where_there_is_a_page(tmp_path, texts):
    folder = PageFolder(tmp_path / "run")
    settings = begin(folder, new_run(texts), {})

    def refused():
        raise SeqMixError("[S684] other texts")

    def started(link):
        raise KeyboardInterrupt

    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        folder.write(settings.model_copy(update={"port": number}))
        # Warnings are errors: a refusal comes without one.
        assert code_of(serve, folder.run_dir, refused, refused, browser=False) == "S684"
        with (
            pytest.warns(UserWarning, match=rf"^\[W681\] Port {number}"),
            pytest.raises(KeyboardInterrupt),
        ):
            serve(folder.run_dir, refused, folder.read, browser=False, on_start=started)
