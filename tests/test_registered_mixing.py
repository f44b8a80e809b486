"""One battery for every strategy with every realiser, in several languages."""

from itertools import islice, pairwise

import numpy as np
import pytest
from spacy.tokens import Doc, DocBin
from spacy.util import registry

from spacy_seqmix.annotation import recipes, relations, soft_labels
from spacy_seqmix.annotation.provenance import by_key, get_origin
from spacy_seqmix.annotation.relations import Relation
from spacy_seqmix.mixing.build_doc import replay

from .registered import INTERPOLATED, REALISERS, RELATION, STRATEGIES, SYNONYM, rng, table_source
from .registered import global_random_state as global_random_state  # the fixture

pytestmark = pytest.mark.usefixtures("encoders_once")


def make_strategy(name, encoder_dir):
    """A strategy with the settings that the short samples take."""
    settings = dict(STRATEGIES[name])
    if name == SYNONYM:
        # A random encoder has no synonyms, but other words of the docs.
        table = registry.get("misc", "spacy-seqmix.WordTable.v1")(encoder=str(encoder_dir))
        lexicon = registry.get("misc", "spacy-seqmix.TableNeighbours.v1")
        settings["lexicon"] = lexicon(table, same_shape=False)
    return registry.get("misc", name)(**settings)


def relate(docs):
    """Each entity has a relation to the next one of its doc."""
    for doc in docs:
        spans = [(ent.start, ent.end) for ent in doc.ents]
        found = [Relation(a, b, f"rel {i % 2}") for i, (a, b) in enumerate(pairwise(spans))]
        relations.put(doc, found)


@pytest.mark.parametrize("lang", ["en", "es", "zh", "ar"])
@pytest.mark.parametrize(("realiser", "table"), REALISERS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_registered_mixing_keeps_text_and_offsets(
    strategy, realiser, table, lang, sample, letters_encoder_dir, tmp_path
):
    nlp, docs = sample(lang)
    docs.insert(2, Doc(nlp.vocab))
    if strategy == RELATION:
        relate(docs)
    plans = make_strategy(strategy, letters_encoder_dir)(docs, rng())
    settings = []
    if table is not None:
        source = table_source(table, docs, letters_encoder_dir, tmp_path)
        settings = [registry.get("misc", table)(**source)]
    prepared = registry.get("misc", realiser)(*settings).prepare(docs, (), nlp, None)
    mixed = prepared(list(islice(plans, 30)))
    assert mixed
    # Few are so odd that they count as pre-tokenised.
    assert np.mean([get_origin(doc).pretokenised for doc in mixed]) <= 0.4
    parents = by_key(docs)
    stored = DocBin(docs=mixed, store_user_data=True).to_bytes()
    for doc, back in zip(mixed, DocBin().from_bytes(stored).get_docs(nlp.vocab), strict=True):
        origin = get_origin(doc)
        check_words(doc, origin, parents, realiser)
        check_text(doc, origin, parents[origin.target], nlp)
        check_labels(doc, origin, parents[origin.target])
        assert (recipes.get(doc) is not None) == (realiser == INTERPOLATED and is_mixed(origin))
        for again in (back, replay(get_origin(back), docs, nlp)):
            assert again.text == doc.text
            assert [(e.text, e.label_) for e in again.ents] == [
                (e.text, e.label_) for e in doc.ents
            ]
            assert recipes.get(again) == recipes.get(doc)
            assert relations.get(again) == relations.get(doc)


def is_mixed(origin):
    """Whether anything is mixed, and not only replaced."""
    return any(part.weight > 0 for part in origin.parts)


def check_words(doc, origin, parents, realiser):
    """A doc has its parent's words, and in mixed segments those that its realiser gives."""
    parent, words, at = parents[origin.target], [], 0
    for part in origin.parts:
        words += [t.text for t in parent[at : part.target_start]]
        assert len(words) == part.start
        words += part.words
        at = part.target_end
        other = parents[part.other][part.other_start : part.other_end]
        theirs = part.partners or tuple(t.text for t in other)
        check_part(part, [t.text for t in parent[part.target_start : at]], theirs, realiser)
        assert not any(t.is_space for t in doc[part.start : part.end])
    assert [t.text for t in doc] == [*words, *(t.text for t in parent[at:])]


def check_part(part, ours, theirs, realiser):
    """The words of one mixed segment."""
    n = min(len(ours), len(theirs))
    if part.weight == 0:
        assert part.words == theirs
    elif realiser == INTERPOLATED:
        assert part.words == (*ours, *theirs[n:])
    else:
        assert part.words[n:] == (*ours[n:], *theirs[n:])
        own = {word.lower() for word in (*ours[:n], *theirs[:n])}
        assert own.isdisjoint(word.lower() for word in part.words[:n])


def check_text(doc, origin, parent, nlp):
    """Offsets hold, and the text around what is mixed is that of the parent."""
    assert all(doc.text[t.idx : t.idx + len(t)] == t.text for t in doc)
    found = [t.text for t in nlp.make_doc(doc.text)]
    assert (found == [t.text for t in doc]) != origin.pretokenised
    start, end = origin.parts[0].target_start, origin.parts[-1].target_end
    assert doc.text.startswith(parent[:start].text)
    assert doc.text.endswith(parent.text[parent[end].idx :] if end < len(parent) else "")


def check_labels(doc, origin, parent):
    """Entities lie on tokens without blanks around them; distributions sum to one."""
    for ent in doc.ents:
        assert doc.text[ent.start_char : ent.end_char] == ent.text
        assert ent.text.strip() == ent.text
        found = doc.char_span(ent.start_char, ent.end_char)
        assert (found.start, found.end) == (ent.start, ent.end)
    if origin.layer != "relations":
        assert np.allclose(soft_labels.of(doc).probs.sum(axis=1), 1.0, atol=1e-5)
        return
    assert [ent.label_ for ent in doc.ents] == [ent.label_ for ent in parent.ents]
    assert np.allclose(relations.of(doc).probs.sum(axis=1), 1.0, atol=1e-5)
    spans = [(ent.start, ent.end) for ent in doc.ents]
    assert [(r.head, r.tail) for r in relations.get(doc)] == list(pairwise(spans))
