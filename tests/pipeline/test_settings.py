"""Settings of every component: what the config says at loading wins over what was saved."""

from pathlib import Path

import pytest
import spacy

# One value other than the default for each setting; models, scorers and policies are made anew
# from the config anyway. The discriminator has tests of its own.
VALUES = {
    "seqmix_ner": {"store_probs": True},
    "seqmix_tagger": {"overwrite": True, "neg_prefix": "not-", "label_smoothing": 0.1},
    "seqmix_relations": {
        "max_distance": 7,
        "threshold": 0.25,
        "use_gold_ents": False,
        "known_types_only": True,
        "store_probs": True,
    },
    "seqmix_uncertainty": {"component": "ner", "temperature": 3.0},
}
CASES = [(name, key) for name, of_name in VALUES.items() for key in of_name]


@pytest.mark.parametrize("factory", VALUES)
def test_settings_are_all_known(factory: str) -> None:
    defaults = spacy.blank("en").get_factory_meta(factory).default_config
    assert {*VALUES[factory], "model", "scorer", "policy"} >= set(defaults)


@pytest.mark.parametrize(("factory", "key"), CASES)
def test_settings_of_the_config_win(factory: str, key: str, tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe(factory)
    default = nlp.get_pipe_config(factory)[key]
    other = VALUES[factory][key]
    nlp.to_disk(tmp_path / "default")
    changed = spacy.blank("en")
    changed.add_pipe(factory, config={key: other})
    changed.to_disk(tmp_path / "changed")
    for saved, value in (("default", other), ("changed", default)):
        again = spacy.load(tmp_path / saved, config={f"components.{factory}.{key}": value})
        pipe = again.get_pipe(factory)
        assert getattr(pipe, key, getattr(pipe, "cfg", {}).get(key)) == value


@pytest.mark.parametrize("factory", [*VALUES, "seqmix_discriminator"])
def test_settings_of_empty_batches_are_refused(factory: str) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe(factory)
    nlp.batch_size = 0
    with pytest.raises(ValueError, match=r"\[S311\] batch_size must be at least 1, not 0"):
        list(nlp.pipe(["Ann went home.", "Bob stayed."]))
