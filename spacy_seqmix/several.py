"""``spacy-seqmix.Several.v1``: more than one kind of mixing in one run, each with its own rate."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from spacy.language import Language
from spacy.training import Example

from .augmenter import SeqMixAugmenter
from .errors import Errors, SeqMixError


@dataclass(frozen=True)
class Several:
    """Yields every original once, and what each of the augmenters mixes of the originals."""

    mixers: list[SeqMixAugmenter]

    def __call__(self, nlp: Language, example: Example) -> Iterator[Example]:
        """Yield the example, then the mixed ones that are due.

        Nothing is mixed twice over: no augmenter sees what another one made.
        """
        yield example
        for augmenter in self.mixers:
            yield from (one for one in augmenter(nlp, example) if one is not example)


def create_several(mixers: dict[str, Callable[..., Iterator[Example]]]) -> Several:
    """Combine augmenters of this package, for example SeqMix and SegMix.

    mixers (dict[str, Callable]): "spacy-seqmix.SeqMix.v1" in sections of any name, each with its
        strategy, realiser, rate and seed. They are called in the order of their names.
    RETURNS (Several): takes (nlp, example), yields examples.
    RAISES (SeqMixError): S263 where a section is no such augmenter, or none is given.
    """
    found: list[SeqMixAugmenter] = []
    for name, augmenter in sorted(mixers.items()):
        if not isinstance(augmenter, SeqMixAugmenter):
            raise SeqMixError(Errors.E263.format(name=f"mixers.{name}"))
        augmenter.number = len(found)
        found.append(augmenter)
    if not found:
        raise SeqMixError(Errors.E263.format(name="mixers"))
    return Several(found)
