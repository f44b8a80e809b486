"""How exactly torch multiplies matrices while a run lasts."""

import numpy as np
import pytest
import torch
from thinc.api import Adam
from torch.nn.modules import module as hooks

from spacy_seqmix.active.precision import matmul_precision
from spacy_seqmix.models.torch_modules import modules_of
from spacy_seqmix.training.augmenter import make_example

from ..tiny import transformer_nlp

TAGGER = {"@architectures": "spacy-seqmix.SoftTagger.v1"}

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture
def nlp(tiny_bert_dir, news):
    nlp = transformer_nlp(tiny_bert_dir, "seqmix_ner", TAGGER)
    nlp.initialize(lambda: [make_example(nlp, doc) for doc in news[:4]])
    return nlp


def states(nlp, text="Ruth Washington flew to Cyprus on Sunday ."):
    """Everything that the encoder gives out for a text."""
    found = nlp.get_pipe("transformer").predict([nlp.make_doc(text)]).model_output
    return {name: np.asarray(value) for name, value in found.items()}


def test_precision_bfloat16_rounds_products_alone(nlp):
    (encoder,) = modules_of(nlp, ["transformer"])
    exact = states(nlp)
    with matmul_precision("bfloat16"):
        rough = states(nlp)
        assert {p.dtype for p in encoder.parameters()} == {torch.float32}
    assert "last_hidden_state" in rough
    for name, value in rough.items():
        assert value.dtype == np.float32
        assert not np.array_equal(value, exact[name])
        np.testing.assert_allclose(value, exact[name], atol=0.1)
    again = states(nlp)
    assert all(np.array_equal(again[name], exact[name]) for name in exact)
    assert not hooks._global_forward_hooks
    assert not hooks._global_forward_pre_hooks


def test_precision_bfloat16_sees_the_weights_of_each_step(nlp, news):
    (encoder,) = modules_of(nlp, ["transformer"])
    for layer in encoder.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    examples = [make_example(nlp, doc) for doc in news[:4]]
    before = states(nlp)["last_hidden_state"]
    with matmul_precision("bfloat16"):
        for _ in range(4):
            nlp.update(examples, sgd=Adam(0.01))
        # As in training, where torch may keep rounded copies of the weights.
        doc = nlp.make_doc("Ruth Washington flew to Cyprus on Sunday .")
        trained, _ = nlp.get_pipe("transformer").model.begin_update([doc])
        rough = trained.model_output["last_hidden_state"].detach().numpy()
    exact = states(nlp)["last_hidden_state"]
    assert np.abs(rough - exact).mean() < 0.1 * np.abs(exact - before).mean()


def test_precision_bfloat16_goes_on_after_a_module_that_fails():
    class Failing(torch.nn.Linear):
        def forward(self, values):
            raise RuntimeError("no memory")

    layer = torch.nn.Linear(4, 4)
    with matmul_precision("bfloat16"):
        with pytest.raises(RuntimeError, match="no memory"):
            torch.nn.Sequential(layer, Failing(4, 4))(torch.ones(1, 4))
        pair = torch.nn.Sequential(torch.nn.Linear(4, 4), layer)
        assert pair(torch.ones(1, 4)).dtype == torch.float32


@pytest.mark.parametrize("wanted", ["highest", "medium"])
def test_precision_of_torch_is_restored(wanted):
    before = torch.get_float32_matmul_precision()
    with matmul_precision(wanted):
        assert torch.get_float32_matmul_precision() == wanted
        assert not torch.is_autocast_enabled("cpu")
    assert torch.get_float32_matmul_precision() == before
