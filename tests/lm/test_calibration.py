"""Scores of a corpus and of mixed docs; their histograms; what is proposed."""

import math
import sys

import numpy as np
import pytest
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import Config

from spacy_seqmix.lm.calibration import Calibration, Scores, calibrate
from spacy_seqmix.lm.calibration_text import describe, to_config
from spacy_seqmix.lm.discriminator import PerplexityDiscriminator, make_perplexity_discriminator
from spacy_seqmix.lm.settings import Range
from spacy_seqmix.mixing.segments import Windows
from spacy_seqmix.report.calibration_figure import draw

PAIRS = Windows(size=2, density=1.0)
FEW = "ignore:.*W312:UserWarning"


def logs(values):
    return [round(float(v), 3) for v in np.log(values)]


@pytest.mark.filterwarnings(FEW)
def test_calibrate_scores_docs_and_windows(make_discriminator, make_doc, save):
    # Means of letters: 2 and 4; windows of two names: (2 + 4) / 2 and (4 + 3) / 2, in that order.
    path = save(make_doc("An Anna bbb c b b"), make_doc("ccccccc Cccc Ddd ee"))
    found = calibrate(make_discriminator(), [path], windows=PAIRS, quantiles=(0.0, 1.0))
    assert list(found.scores) == ["not mixed"]
    assert logs(found.scores["not mixed"].perplexities) == [2, 4]
    assert found.scores["not mixed"].nats.tolist() == [3.0, 3.5]
    assert found.perplexity == (7.38, 54.6)  # e² = 7.389, e⁴ = 54.598
    assert found.window_nats == (0.0, 3.5)


def test_calibrate_quantiles_by_hand(make_discriminator, make_doc, save):
    # 1 to 101 nats per word: the q-quantile of windows is 1 + 100 q, that of perplexity exp of it.
    path = save(*(make_doc("A" * n + " " + "B" * n) for n in range(1, 102)))
    found = calibrate(make_discriminator(), [path], windows=PAIRS, quantiles=(0.1, 0.9))
    assert found.window_nats == (0.0, 91.0)
    assert logs(found.perplexity) == pytest.approx([11.0, 91.0], abs=0.01)


@pytest.mark.filterwarnings(FEW)
def test_calibrate_sentences(make_discriminator, make_doc, save):
    # The names stand together in the doc, but not in one sentence.
    path = save(make_doc("aa Bb Dd cccc", starts={0, 2}), make_doc("Ee Ffff", starts={0}))
    found = calibrate(make_discriminator("sentence"), [path], windows=PAIRS)
    assert logs(found.scores["not mixed"].perplexities) == [2, 3, 3]
    assert found.scores["not mixed"].nats.tolist() == [3.0]


@pytest.mark.filterwarnings(FEW)
def test_calibrate_mixed_docs_do_not_shift_the_range(make_discriminator, make_doc, save):
    written = [make_doc("An Anna"), make_doc("Cccc Ddd e")]
    one = save(*written)
    # As `augment --with-originals` writes them. The windows need not be dense, nor of one length.
    two = save(
        *written,
        make_doc("aaaaaa bb cccc", window=(1, 3)),
        make_doc("dd eeee ff Hhhhhhhh", window=(0, 3)),
        name="two.spacy",
    )
    alone = calibrate(make_discriminator(), [one], windows=PAIRS)
    found = calibrate(make_discriminator(), [two], windows=PAIRS)
    assert list(found.scores) == ["not mixed", "mixed"]
    assert logs(found.scores["mixed"].perplexities) == [4, 4]
    np.testing.assert_allclose(found.scores["mixed"].nats, [3.0, 8 / 3])
    assert (found.perplexity, found.window_nats) == (alone.perplexity, alone.window_nats)
    both = calibrate(make_discriminator(), [one, two], windows=PAIRS)
    assert [len(scores.nats) for scores in both.scores.values()] == [4, 2]


@pytest.mark.filterwarnings(FEW)
def test_calibrate_mixed_docs_alone_are_their_own_measure(make_discriminator, make_doc, save):
    path = save(make_doc("aaaaaa bb cccc dddd", window=(1, 3), starts={0, 1}))
    found = calibrate(make_discriminator("sentence"), [path], windows=Windows())
    assert list(found.scores) == ["mixed"]
    assert logs(found.scores["mixed"].perplexities) == [round(10 / 3, 3)]
    assert found.window_nats == (0.0, 3.0)


@pytest.mark.filterwarnings(FEW)
def test_calibrate_limit_draws_the_same_docs(make_discriminator, make_doc, save):
    path = save(*(make_doc("A" * n + " Bb") for n in range(1, 31)))
    first, again = (
        calibrate(make_discriminator(), [path], limit=5, windows=PAIRS).scores["not mixed"]
        for _ in range(2)
    )
    assert first.perplexities.tolist() == again.perplexities.tolist()
    assert len(first.perplexities) == 5
    assert (
        len(calibrate(make_discriminator(), [path], limit=99, windows=PAIRS).scores["not mixed"][0])
        == 30
    )


def test_calibrate_warns_of_few_values_and_of_no_windows(make_discriminator, make_doc, save):
    path = save(*(make_doc("aa " * n) for n in range(1, 51)))
    with pytest.warns(UserWarning) as told:
        found = calibrate(make_discriminator(), [path], windows=Windows())
    assert [str(w.message)[:6] for w in told] == ["[W312]", "[W313]"]
    assert "0.05 and 0.95 of 50 texts" in str(told[0].message)
    assert "a window of 5 tokens with at least 60% valid labels" in str(told[1].message)
    assert found.window_nats is None
    with pytest.warns(UserWarning, match="W313") as told:
        calibrate(make_discriminator(), [path], quantiles=(0.1, 0.9), windows=Windows())
    assert len(told) == 1


@pytest.mark.parametrize("quantiles", [(0.9, 0.1), (0.5, 0.5), (-0.1, 0.9), (0, 95), (math.nan, 1)])
def test_calibrate_refuses_quantiles(make_discriminator, make_doc, save, quantiles):
    with pytest.raises(ValueError, match=r"\[S516\]"):
        calibrate(
            make_discriminator(), [save(make_doc("a"))], quantiles=quantiles, windows=Windows()
        )


def test_calibrate_refuses_docs_before_the_model_is_loaded(make_doc, save, vocab, tmp_path):
    discriminator = make_perplexity_discriminator("/no/such/model")
    by_sentence = make_perplexity_discriminator("/no/such/model", unit="sentence")
    with pytest.raises(ValueError, match=r"\[S403\].*no docs"):
        calibrate(discriminator, [save()], windows=Windows())
    with pytest.raises(ValueError, match=r"\[S403\].*no such file"):
        calibrate(discriminator, [tmp_path / "none.spacy"], windows=Windows())
    with pytest.raises(ValueError, match=r"\[S518\].*'sentencizer'.*a b c"):
        calibrate(by_sentence, [save(make_doc("a b c"))], windows=Windows())
    with pytest.raises(ValueError, match=r"\[S314\]"):
        calibrate(by_sentence, [save(make_doc("a b c", window=(0, 1)))], windows=Windows())
    with pytest.raises(OSError, match=r"\[S301\]"):
        calibrate(discriminator, [save(make_doc("a b c"))], windows=Windows())


def test_calibrate_refuses_docs_without_text(make_discriminator, save, vocab):
    with pytest.raises(ValueError, match=r"\[S517\].*docs\.spacy"):
        calibrate(make_discriminator(), [save(Doc(vocab, words=[" ", "\n"]))], windows=Windows())


@pytest.fixture
def found(make_discriminator):
    written = Scores(np.array([10.0, 20.0, 40.0, 80.0]), np.array([4.0, 5.0, 6.0]))
    mixed = Scores(np.array([40.0, 1000.0]), np.array([7.0, 4.0]))
    discriminator, scores = make_discriminator(), {"not mixed": written, "mixed": mixed}
    return Calibration(discriminator, scores, Range(15.0, 80.0), Range(0.0, 5.5))


def test_calibrate_describe(found):
    lines = list(describe(found))
    assert lines[0] == "Perplexity of each doc under owner/fake"
    assert lines[1].split() == ["not", "mixed", "(4)", "mixed", "(2)"]
    # Five bins from 10 to 1000, their borders at 10^1.4, 10^1.8, ...
    assert [line[:17].rstrip() for line in lines[2:7]] == [
        "┃     10 - 25.1",
        "┃   25.1 - 63.1",
        "┃   63.1 - 158",
        "     158 - 398",
        "     398 - 1000",
    ]
    assert [line.count("%") for line in lines[2:7]] == [2] * 5
    assert lines[2].count("█") == 20
    assert lines[3].split()[4:] == ["25%", "█" * 10, "50%", "█" * 20]
    assert all(len(line) <= 80 for line in lines)
    assert [line.split()[-2:] for line in lines[-3:-1]] == [["75%", "50%"], ["67%", "50%"]]
    assert lines[-1].split() == ["Both", "0%"]


def test_calibrate_describe_one_value(make_discriminator):
    scores = {"not mixed": Scores(np.array([10.0]), np.array([]))}
    lines = list(describe(Calibration(make_discriminator("sentence"), scores, Range(10, 10), None)))
    assert lines[0].startswith("Perplexity of each sentence")
    assert not any("nats" in line for line in lines)


@pytest.mark.parametrize("unit", ["doc", "sentence"])
def test_calibrate_config_can_be_pasted(found, unit):
    discriminator = make_perplexity_discriminator(
        'a "b"\\c', unit=unit, revision="v1", start_token="<s>", trust_remote_code=["x/y"]
    )
    text = to_config(Calibration(discriminator, found.scores, Range(15.0, 80.0), Range(0.0, 5.5)))
    assert text.startswith("[augment.discriminator]\n@misc")
    built = registry.resolve(Config().from_str("[augment]\n\n" + text))["augment"]["discriminator"]
    assert isinstance(built, PerplexityDiscriminator)
    assert (built.settings.perplexity, built.window_nats) == ((15.0, 80.0), (0.0, 5.5))
    assert built.unit == discriminator.unit
    for name in ("model", "revision", "start_token", "trust_remote_code"):
        assert getattr(built.settings, name) == getattr(discriminator.settings, name)


def test_calibrate_config_leaves_out_what_is_not_set(found):
    text = to_config(Calibration(found.discriminator, found.scores, Range(15.0, 80.0), None))
    assert [line.split(" = ")[0] for line in text.splitlines()[1:]] == [
        "@misc",
        "model",
        "min_perplexity",
        "max_perplexity",
    ]


def test_calibrate_draws_a_file_or_into_a_folder(found, tmp_path):
    paths = [draw(found, tmp_path / "new" / "x.PNG"), draw(found, tmp_path / "out")]
    assert paths == [tmp_path / "new" / "x.PNG", tmp_path / "out" / "perplexity.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    written = {"not mixed": found.scores["not mixed"]}
    draw(Calibration(found.discriminator, written, found.perplexity, None), paths[0])
    assert paths[0].stat().st_size < paths[1].stat().st_size
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()].count("x.PNG") == 1
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == 2


def test_calibrate_draw_that_fails_leaves_the_old_picture(found, tmp_path, monkeypatch):
    path = draw(found, tmp_path)
    before = path.read_bytes()

    def fail(self, name, **options):
        name.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        draw(found, tmp_path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_calibrate_draw_needs_matplotlib(found, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ValueError, match=r"\[S515\].*--output"):
        draw(found, tmp_path)
