"""``spacy-seqmix.Chain.v1``: two augmenters in a row, soft labels carried through both."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from . import recipes, soft_labels
from .alignment import aligned
from .augmenter import SeqMixAugmenter, make_example
from .errors import Errors, SeqMixError
from .mixing.origin import KEY

Augmenter = Callable[[Language, Example], Iterable[Example]]


@dataclass(frozen=True)
class Chain:
    """What the first augmenter yields goes through the second."""

    first: Augmenter
    then: Augmenter

    def __call__(self, nlp: Language, example: Example) -> Iterator[Example]:
        """Yield what both make of an example.

        spaCy's augmenters rebuild the reference and drop its user data: soft labels and origins
        are put on again.
        """
        for one in through(self.first, nlp, example):
            yield from through(self.then, nlp, one)


def create_chain(first: Augmenter, then: Augmenter) -> Chain:
    """Chain two augmenters, for example spaCy's lower-casing and SeqMix, in either order.

    first, then (Callable): augmenters, sections of their own in the config.
    RETURNS (Callable): takes (nlp, example), yields examples.
    """
    return Chain(first, then)


def through(augmenter: Augmenter, nlp: Language, example: Example) -> Iterator[Example]:
    """What one augmenter yields, with the soft labels that it dropped."""
    if isinstance(augmenter, SeqMixAugmenter | Chain):
        yield from augmenter(nlp, example)
        return
    for one in augmenter(nlp, without_marks(example)):
        carry(example.reference, one.reference)
        yield make_example(nlp, one.reference) if recipes.KEY in one.reference.user_data else one


def without_marks(example: Example) -> Example:
    """The example with the entities of its soft labels alone: the marks that tell of soft labels
    are spans, which spaCy can't rebuild where words change."""
    if soft_labels.get(example.reference) is None:
        return example
    bare = example.reference.copy()
    soft_labels.clear(bare)
    return Example(example.predicted, bare)


def carry(source: Doc, target: Doc) -> None:
    """Give a doc the soft labels of the one that it was rebuilt from, if it has lost them.

    Tokens are aligned; where one covers several with different rows, its row is missing.

    RAISES (SeqMixError): S260 for a doc with a recipe and another number of tokens.
    """
    if source is target or soft_labels.KEY in target.user_data:
        return
    same, recipe = len(target) == len(source), recipes.get(source)
    if recipe is not None and not same:
        raise SeqMixError(Errors.E260.format(text=source.text[:80]))
    soft = soft_labels.get(source)
    if soft is not None:
        # Words may have changed (spelling variants), but then not their number.
        rows = soft.probs if same else aligned(Example(target, source), soft.labels, soft.layer)
        soft_labels.put(target, replace(soft, probs=rows))
    if KEY in source.user_data and same:
        target.user_data[KEY] = source.user_data[KEY]
    if recipe is not None:
        # The same places, in other spelling.
        recipes.put(target, replace(recipe, own=tuple(target[i].text for i in recipe.tokens)))
