"""Corpora in several languages, and strategies, for tests of what always holds."""

import numpy as np
import pytest
import spacy
from hypothesis import strategies as st
from spacy.tokens import Span

from spacy_seqmix import SoftLabels
from spacy_seqmix.annotation import soft_labels
from spacy_seqmix.annotation.iob import spans_of, tag_names
from spacy_seqmix.mixing.strategies import (
    make_label_constrained,
    make_sub_sequence,
    make_whole_sequence,
)

# Of each language the first five are of equal length in tokens. "n\N{COMBINING TILDE}" is an ñ of
# two characters; some emoji are several, too.
SENTENCES = {
    "en": (
        "Mara Quill sailed to Port Elder.",
        "Nobody answered Mr. O'Neil 🙂 today.",
        '"No," said Lumie\N{COMBINING GRAVE ACCENT}re.',
        "👩‍🚀 Ida left Oslo.",
        "Blue Kite won 3.5% more!",
        "The Harbour  Trust sold 3 boats (in 1911).",
        "It rained.",
    ),
    "es": (
        "Íñigo Peña viajó a Ávila con Begoña.",
        "La nin\N{COMBINING TILDE}a vio León ¡qué frío 😀",
        "¿Vendió Úrsula la Compañía Azul, Martín",
        "Él no volvió jamás a su Logroño.",
        "Íñigo y Úrsula cantaron «Canción triste»",
        "Sofía Núñez nació en Cádiz.",
        "Llovió.",
    ),
    "zh": (
        "昨天李娜遇见王强。",
        "小明去了「北京」😀",
        "他卖了3.5万车。",
        "赵敏和孙伟在广州。",
        "我们都没有来上海。",
        "公司 在2019年开了门。",
        "下雨。",
    ),
    "ar": (
        "سافرت ليلى إلى القاهرة ثم عادت.",
        "قال كَرِيم: «أين بغداد 😀",
        "ربح نادي النجم 3.5 نقاط أمس.",
        "زارت مريم وسامي مدينة فاس القديمة.",
        "لم يأتِ أحد منهم إلى الرياض!",
        "وصل عمر، ثم نام  في عمّان.",
        "نزل المطر.",
    ),
}
LABELS = ("PER", "a b", "LUGAR: villa-1")
NLP = {lang: spacy.blank(lang) for lang in SENTENCES}
MAKERS = {
    "sub": make_sub_sequence,
    "whole": make_whole_sequence,
    "constrained": make_label_constrained,
}


def random_tags(n, gaps, rng):
    """IOB2 tags, with this share of tokens outside left without annotation."""
    tags, share = [], rng.random() ** 0.5
    while len(tags) < n:
        if rng.random() < share:
            label = LABELS[rng.integers(len(LABELS))]
            tags += [f"B-{label}", *[f"I-{label}"] * int(rng.integers(3))]
        else:
            tags.append("" if rng.random() < gaps else "O")
    return tags[:n]


def random_rows(tags, rng):
    """Soft labels around these tags; some rows stay certain."""
    names = tag_names(LABELS)
    rows = np.zeros((len(tags), len(names)), dtype="float32")
    for i, tag in enumerate(tags):
        if tag:
            rows[i, names.index(tag)] = 1.0
            if rng.random() < 0.4:
                lam = np.float32(rng.beta(8, 8))
                rows[i] = lam * rows[i] + (1 - lam) * rng.dirichlet(np.ones(len(names)))
    return SoftLabels(names, rows)


@st.composite
def _corpora(draw):
    """(language, labelled docs): up to seven docs of up to three sentences, twins among them."""
    lang = draw(st.sampled_from(sorted(SENTENCES)))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    docs = []
    for chosen in draw(
        st.lists(st.lists(st.sampled_from(SENTENCES[lang]), max_size=3), min_size=2, max_size=7)
    ):
        between = "\n" if rng.random() < 0.3 else " " if lang != "zh" else ""
        doc = NLP[lang].make_doc(between.join(chosen))
        firsts = np.cumsum([0, *(len(NLP[lang].make_doc(s + between)) for s in chosen[:-1])])
        gaps = 0.1 if rng.random() < 0.2 else 0.0
        if rng.random() < 0.2:  # entities may run across sentences
            tags = random_tags(len(doc), gaps, rng)
        else:
            lengths = np.diff([*firsts, len(doc)])
            tags = [tag for n in lengths for tag in random_tags(int(n), gaps, rng)]
        doc.set_ents(
            [
                Span(doc, a, b, label=label)
                for a, b, label in spans_of([tag or "O" for tag in tags])
            ],
            missing=[doc[i : i + 1] for i, tag in enumerate(tags) if not tag],
            default="outside",
        )
        if rng.random() < 0.3:
            soft_labels.put(doc, random_rows(tags, rng))
        if len(chosen) > 1 and rng.random() < 0.8:
            for token in doc:
                token.is_sent_start = token.i in firsts
        docs.append(doc)
    return lang, docs


@st.composite
def _strategies(draw, kinds=tuple(MAKERS)):
    """(kind, its settings, the strategy)."""
    kind = draw(st.sampled_from(kinds))
    values = {"density": draw(st.sampled_from([0.0, 0.0, 0.2, 0.5, 0.6, 1.0]))}
    if kind != "whole":
        values |= {"window": draw(st.integers(1, 6)), "keep_entities": draw(st.booleans())}
        values["uniform_over"] = draw(st.sampled_from(["windows", "docs"]))
    return kind, values, MAKERS[kind](alpha=draw(st.sampled_from([0.5, 8.0])), **values)


@pytest.fixture(scope="session")
def languages():
    """Language -> (its tokeniser, some sentences)."""
    return {lang: (NLP[lang], texts) for lang, texts in SENTENCES.items()}


@pytest.fixture(scope="session")
def corpora():
    """What draws (language, labelled docs)."""
    return _corpora()


@pytest.fixture(scope="session")
def strategies():
    """A function from kinds of strategies to what draws (kind, settings, strategy)."""
    return _strategies
