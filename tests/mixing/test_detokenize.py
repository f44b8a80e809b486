"""Spaces of mixed texts."""

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_seqmix.mixing.detokenize import Edit, join_words

TARGET = "He said , \"Rome (Italy) didn't rain\" - but  Oslo's 3.5% did."
WORD = st.sampled_from(
    [
        "Paris",
        "ran",
        ",",
        ".",
        "(",
        ")",
        "'s",
        "n't",
        "7",
        "3:41.7",
        "$",
        "%",
        "-",
        '"',
        "U.N.",
        "ö",
    ]
)


@settings(max_examples=150, deadline=None)
@given(start=st.integers(0, 14), words=st.lists(WORD, min_size=1, max_size=4))
def test_join_words_tokenises_back_or_says_that_it_does_not(blank_en, start, words):
    target = blank_en.make_doc(TARGET)
    start = min(start, len(target) - len(words))
    doc, pretokenised = join_words(target, [Edit(start, start + len(words), words)], blank_en)
    end = start + len(words)
    new = [*[t.text for t in target[:start]], *words, *[t.text for t in target[end:]]]
    assert [t.text for t in doc] == new
    assert ([t.text for t in blank_en.make_doc(doc.text)] == new) != pretokenised
    # Outside of the window the text is the same, character for character; the space before the
    # window belongs to its border.
    before = target.text[: target[start].idx].rstrip(" ")
    assert doc.text.startswith(before)
    after = target.text[target[end - 1].idx + len(target[end - 1]) :].lstrip(" ")
    assert doc.text.endswith(after)


@pytest.mark.parametrize(
    ("text", "start", "words", "expected"),
    [
        ("I saw Rome, Oslo and Bonn.", 2, ["Paris", ",", "Kiel"], "I saw Paris, Kiel and Bonn."),
        ("I saw Rome and Bonn.", 2, ["Paris", ",", "Kiel"], "I saw Paris, Kiel."),
        ("Rome (Italy) won.", 0, ["Anna", "left", "Graz", "now"], "Anna left Graz now won."),
        ("Rome in Italy won.", 1, ["(", "Oslo", ")"], "Rome (Oslo)."),
        ("Rome has won.", 1, ["'s", "city"], "Rome's city."),
        ("Rome's team", 1, ["and", "Bonn"], "Rome and Bonn"),
    ],
)
def test_join_words_reads_as_text(blank_en, text, start, words, expected):
    doc, pretokenised = join_words(
        blank_en.make_doc(text), [Edit(start, start + len(words), words)], blank_en
    )
    assert doc.text == expected
    assert not pretokenised


def test_join_words_keeps_unusual_spaces_between_words_of_the_same_kind(blank_en):
    doc, _ = join_words(blank_en.make_doc("Rome -Oslo 6-4"), [Edit(0, 1, ["Bonn"])], blank_en)
    assert doc.text == "Bonn -Oslo 6-4"


def test_join_words_of_pretokenised_text(blank_en):
    target = Doc(blank_en.vocab, words=["a", "b", "c"])
    doc, pretokenised = join_words(target, [Edit(1, 2, ["d"])], blank_en)
    assert doc.has_unknown_spaces
    assert pretokenised
    assert [t.text for t in doc] == ["a", "d", "c"]


def test_join_words_marks_what_would_not_tokenise_back(blank_en):
    target = blank_en.make_doc("I saw, Rome")
    doc, pretokenised = join_words(target, [Edit(3, 4, ["two words"])], blank_en)
    assert pretokenised
    assert doc.text == "I saw, two words"
    assert [t.text for t in doc] == ["I", "saw", ",", "two words"]


@pytest.mark.parametrize(
    ("lang", "text", "start", "words", "expected"),
    [
        ("zh", "他在北京。", 2, ["「", "广"], "他在「广。"),
        ("zh", "他说「好」了吗。", 2, ["上", "海", "去"], "他说上海去了吗。"),
        ("es", "Y dijo hola, Ana.", 2, ["¿", "quién"], "Y dijo ¿quién Ana."),
        ("ar", "زار عمر فاس ثم عاد", 2, ["\u060c", "وصل"], "زار عمر\u060c وصل عاد"),
        ("ar", "زار عمر فاس ثم عاد", 2, ["«", "وصل"], "زار عمر «وصل عاد"),
    ],
)
def test_join_words_writes_as_the_target_does(lang, text, start, words, expected):
    nlp = spacy.blank(lang)
    edit = Edit(start, start + len(words), words)
    assert join_words(nlp.make_doc(text), [edit], nlp)[0].text == expected


@pytest.mark.parametrize(
    ("lang", "text", "old", "word", "expected"),
    [
        ("fr", "Il vit dans l'Oise depuis mai.", "l'", "le", "Il vit dans le Oise depuis mai."),
        ("fr", "La mort d'Hugo fut un choc.", "d'", "de", "La mort de Hugo fut un choc."),
        ("fr", "Il vit dans le Jura depuis mai.", "le", "l'", "Il vit dans l'Jura depuis mai."),
        ("it", "Vive nell'Abruzzo del nord.", "nell'", "nella", "Vive nella Abruzzo del nord."),
        ("ca", "Viu a l'Hospitalet ara.", "l'", "la", "Viu a la Hospitalet ara."),
        ("en", "They cannot see Oslo.", "can", "will", "They will not see Oslo."),
        ("en", "We're gonna see Oslo.", "gon", "soon", "We're soon na see Oslo."),
        ("en", "It is Ana's dog.", "Ana", "Boss", "It is Boss's dog."),
        ("en", "It is Ana's dog.", "dog", "J.", "It is Ana's J. ."),
    ],
)
def test_join_words_where_the_tokenizer_finds_them_again(lang, text, old, word, expected):
    nlp = spacy.blank(lang)
    target = nlp.make_doc(text)
    at = next(token.i for token in target if token.text == old)
    doc, pretokenised = join_words(target, [Edit(at, at + 1, [word])], nlp)
    assert doc.text == expected
    assert not pretokenised


def alone(nlp, words):
    """A doc as of a file of columns."""
    return Doc(nlp.vocab, words=words, spaces=[True] * (len(words) - 1) + [False])


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_join_words_follows_texts_in_which_marks_stand_alone(lang):
    nlp = spacy.blank(lang)
    target = alone(nlp, ["Ana", "left", "Oslo", "and", "(", "yes", ")", "l'", "Oise", "."])
    for edit in (Edit(1, 3, [",", "("]), Edit(8, 9, [")"]), Edit(2, 3, ["l'"])):
        doc, _ = join_words(target, [edit], nlp)
        assert doc.text == " ".join(token.text for token in doc)
    # A text without marks follows that of the words.
    bare = alone(nlp, ["Ana", "left", "Oslo"])
    assert join_words(bare, [Edit(1, 2, [","])], nlp, [target])[0].text == "Ana , Oslo"
    assert join_words(bare, [Edit(1, 2, [","])], nlp)[0].text == "Ana, Oslo"


def test_join_words_writes_each_mark_as_the_text_does():
    nlp = spacy.blank("fr")
    target = nlp.make_doc("Il dit : oui, Ana vit à Oslo.")
    assert join_words(target, [Edit(6, 7, [":"])], nlp)[0].text == "Il dit : oui, Ana : à Oslo."
    assert join_words(target, [Edit(6, 7, [","])], nlp)[0].text == "Il dit : oui, Ana, à Oslo."


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([Edit(2, 3, ["New", "York", "City"])], "I saw New York City, Red Lion and Bonn."),
        ([Edit(4, 6, ["Bar"])], "I saw Rome, Bar and Bonn."),
        (
            [Edit(2, 3, ["St", "Ives"]), Edit(7, 8, ["Bad", "Ems"])],
            "I saw St Ives, Red Lion and Bad Ems.",
        ),
        ([Edit(0, 1, ["Ann", "Lee"]), Edit(4, 6, ["It"])], "Ann Lee saw Rome, It and Bonn."),
    ],
)
def test_join_words_of_other_lengths(blank_en, edits, expected):
    target = blank_en.make_doc("I saw Rome, Red Lion and Bonn.")
    doc, pretokenised = join_words(target, edits, blank_en)
    assert doc.text.endswith(expected)
    assert not pretokenised
