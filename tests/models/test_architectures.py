"""Every shipped training config trains, and the table of them in the docs is whole.

Tiny random models stand for the real ones; `test_train.py` runs two configs with those.
"""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import spacy
import srsly
from spacy.cli.debug_config import debug_config
from spacy.cli.train import train
from spacy.tokens import Doc, DocBin
from spacy.training.pretrain import pretrain
from spacy.util import load_config

from spacy_seqmix.annotation import relations
from spacy_seqmix.annotation.relations import Relation

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(
    path.stem
    for path in (ROOT / "configs").glob("*.cfg")
    if "[components]" in path.read_text("utf8")  # others are laid over these
)
OTHERS = sorted({*(ROOT / "configs").rglob("*.cfg")} - {ROOT / f"configs/{n}.cfg" for n in CONFIGS})
# Loading a transformer warns about its own internals.
QUIET = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture
def paths(news: list[Doc], tmp_path: Path) -> dict[str, object]:
    """Overrides: the corpora, and a few steps."""
    for doc in news:
        doc.spans["sc"] = list(doc.ents)
        for token in doc:
            token.tag_ = "NAME" if token.ent_type_ else "WORD"
        first_two = [(ent.start, ent.end) for ent in doc.ents[:2]]
        relations.put(doc, [Relation(*first_two, "Before")] if len(first_two) == 2 else [])
    DocBin(docs=news, store_user_data=True).to_disk(tmp_path / "train.spacy")
    DocBin(docs=news[:5], store_user_data=True).to_disk(tmp_path / "dev.spacy")
    return {
        "paths.train": str(tmp_path / "train.spacy"),
        "paths.dev": str(tmp_path / "dev.spacy"),
        "training.max_steps": 2,
        "training.eval_frequency": 2,
    }


@pytest.fixture
def vectors(news: list[Doc], tmp_path: Path) -> Path:
    """A pipeline with static vectors."""
    nlp, rng = spacy.blank("en"), np.random.default_rng(0)
    for word in sorted({t.text for doc in news for t in doc}):
        nlp.vocab.set_vector(word, rng.normal(size=12).astype("float32"))
    nlp.to_disk(tmp_path / "vectors")
    return tmp_path / "vectors"


def sizes_of(encoder: Path) -> dict[str, object]:
    """The settings of a curated transformer for the weights in a folder."""
    found = json.loads((encoder / "config.json").read_text("utf8"))
    names = {"hidden_width": "hidden_size", "intermediate_width": "intermediate_size"}
    same = ("vocab_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings")
    names |= {"model_max_length": "max_position_embeddings", **{name: name for name in same}}
    return {f"components.transformer.model.{ours}": found[name] for ours, name in names.items()}


@QUIET
@pytest.mark.usefixtures("encoders_once")
@pytest.mark.parametrize("name", CONFIGS)
def test_shipped_config_trains(
    name: str, paths: dict[str, object], vectors: Path, tiny_bert_dir: Path, tmp_path: Path
) -> None:
    config = load_config(ROOT / "configs" / f"{name}.cfg", interpolate=False)
    if "curated" in name:
        if find_spec("spacy_curated_transformers") is None:
            pytest.skip("spacy-curated-transformers is not installed")
        paths |= sizes_of(tiny_bert_dir)
    if "encoder" in config["paths"]:
        paths["paths.encoder"] = str(tiny_bert_dir)
    if "vectors" in config["paths"]:
        paths["paths.vectors"] = str(vectors)
    if name.endswith("_seqmix"):
        paths["corpora.train.augmenter.discriminator"] = None
        paths["corpora.train.augmenter.strategy.window"] = 3
    train(ROOT / "configs" / f"{name}.cfg", tmp_path / "out", overrides=paths)
    nlp = spacy.load(tmp_path / "out" / "model-last")
    assert nlp.pipe_names == config["nlp"]["pipeline"]
    doc = nlp("Ana Duarte left Leeds.")
    annotated = {"tagger": doc.has_annotation("TAG"), "spancat": "sc" in doc.spans}
    if "relations" in name:
        annotated[name] = doc._.relations is not None
    assert annotated.get(name.removesuffix("_seqmix"), doc.has_annotation("ENT_IOB"))


@pytest.mark.parametrize("name", CONFIGS)
def test_shipped_config_passes_the_check_of_spacy(name: str, paths: dict[str, object]) -> None:
    if "curated" in name and find_spec("spacy_curated_transformers") is None:
        pytest.skip("spacy-curated-transformers is not installed")
    corpora = {key: value for key, value in paths.items() if key.startswith("paths.")}
    debug_config(ROOT / "configs" / f"{name}.cfg", overrides=corpora)


@pytest.mark.parametrize("name", CONFIGS)
def test_shipped_config_of_a_cnn_can_be_pretrained(name: str, tmp_path: Path) -> None:
    path = ROOT / "configs" / f"{name}.cfg"
    if "[pretraining]" not in path.read_text("utf8"):
        assert "[components.transformer]" in path.read_text("utf8")
        return
    texts = tmp_path / "texts.jsonl"
    srsly.write_jsonl(texts, [{"text": "Ana went to Oslo with Bo ."}] * 3)
    overrides = {
        "paths.raw_text": str(texts),
        "pretraining.max_epochs": 1,
        "pretraining.objective.hidden_size": 8,
    }
    if name == "vectors_seqmix":
        overrides |= {"paths.vectors": None, "components.tok2vec.model.pretrained_vectors": False}
    config = load_config(path, overrides=overrides, interpolate=True)
    pretrain(config, tmp_path)
    assert (tmp_path / "model-last.bin").exists()


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.name)
def test_config_of_a_command_names_it_in_its_first_line(path: Path) -> None:
    command = "sweep" if path.parent.name == "sweeps" else path.stem
    command = "active" if command in ("default", "label", "label_studio") else command
    first = path.read_text("utf8").split("\n")[0]
    assert first == f"# For `spacy seqmix {command}`, not for `spacy train`."


ENCODERS = {
    "tok2vec": "CNN",
    "transformer": "spacy-transformers",
    "curated_transformer": "spacy-curated-transformers",
}
TABLES = {
    "spacy-seqmix.WordTable.v1": "an encoder's input embeddings",
    "spacy-seqmix.VectorsTable.v1": "the same static vectors",
}


def row_of(name: str) -> str:
    """The row of the page's table that a config has."""
    config = load_config(ROOT / "configs" / f"{name}.cfg", interpolate=False)
    first, last = (config["components"][pipe] for pipe in config["nlp"]["pipeline"])
    encoder = ENCODERS[first["factory"]]
    encoder += " with static vectors" * ("vectors" in config["paths"])
    ours = last["factory"].startswith("seqmix_")
    component = f"{'' if ours else 'spaCy' + chr(39) + 's '}`{last['factory']}`"
    component += " with a CRF" * ("CRFTagger" in str(last["model"]["@architectures"]))
    cells = [f"[`{name}.cfg`](../configs/{name}.cfg)", encoder, component]
    augmenter = config["corpora"]["train"].get("augmenter")
    if augmenter is None:
        return f"| {' | '.join([*cells, 'no', '–', '–'])} |"
    layer = augmenter["strategy"].get("layer")
    kind = "SegMix" if name.endswith("_segmix") else "SeqMix"
    cells += [kind if layer is None else f"{kind}, layer `{layer}`", augmenter["labels"]]
    table = augmenter["realiser"].get("table")
    cells.append("the docs: the encoder mixes" if table is None else TABLES[table["@misc"]])
    return f"| {' | '.join(cells)} |"


def test_architectures_page_has_the_row_of_every_config() -> None:
    page = (ROOT / "docs" / "architectures.md").read_text("utf8")
    listed = re.findall(r"^\| \[`\w+\.cfg`\].*$", page, flags=re.M)
    assert listed == [row_of(name) for name in CONFIGS]
