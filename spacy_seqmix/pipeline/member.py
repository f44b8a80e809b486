"""A component that asks other components: which pipeline it is part of."""

import sys
import weakref
from collections.abc import Callable
from typing import Any

from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.vocab import Vocab

from ..errors import Errors, SeqMixError

GONE = "no pipeline of these docs has it as a component"
SEVERAL = "two pipelines with one vocabulary have it, and different components to ask"


class PipelineMember(Pipe):
    """A component that finds the pipeline that runs it, and holds none.

    A pipeline into which a component is sourced calls no factory: it takes the object, and then
    both pipelines run it. All that spaCy does then, and whenever a pipeline is made, loaded,
    initialised or one of its components renamed, is to set the component's name. So that is when
    the component learns of a pipeline. The references are weak: a pipeline from which a component
    was sourced, and that nobody else uses, goes.
    """

    def __init__(self, nlp: Language, name: str) -> None:
        """nlp (Language): the pipeline that creates the component. name (str): its name."""
        self._pipelines: list[weakref.ref[Language]] = []
        self._name = name
        self.join(nlp)

    @property
    def name(self) -> str:
        """The component's name in the pipeline that named it last."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = name
        nlp = sys._getframe(1).f_locals.get("self")
        if isinstance(nlp, Language):
            self.join(nlp)

    def join(self, nlp: Language) -> None:
        """Remember a pipeline of which the component may be part."""
        others = [ref for ref in self._pipelines if ref() not in (None, nlp)]
        self._pipelines = [*others, weakref.ref(nlp)]

    def pipelines(self) -> list[Language]:
        """The pipelines of which the component is part, the one that named it last at the end; if
        there are none, those that it was made or used in."""
        alive = [nlp for ref in self._pipelines if (nlp := ref()) is not None]
        return [nlp for nlp in alive if self._number(nlp) is not None] or alive

    def latest(self) -> Language:
        """The pipeline that named the component last. RAISES (SeqMixError): S449 if it is gone."""
        alive = self.pipelines()
        if not alive:
            raise SeqMixError(Errors.E449.format(name=self.name, reason=GONE))
        return alive[-1]

    def pipeline_of(self, vocab: Vocab, asked: Callable[[Language], object]) -> Language:
        """The pipeline that processes docs of a vocabulary.

        asked (Callable): the component that this one asks in a pipeline.
        RAISES (SeqMixError): S449 if there is none, or several with different components to ask.
        """
        able = [nlp for nlp in self.pipelines() if nlp.vocab is vocab]
        if not able or len({id(asked(nlp)) for nlp in able}) > 1:
            reason = SEVERAL if able else GONE
            raise SeqMixError(Errors.E449.format(name=self.name, reason=reason))
        return able[-1]

    def names_before(self, nlp: Language) -> list[str]:
        """The names of the components before this one, disabled ones included."""
        return list(nlp.component_names[: self._number(nlp)])

    def _number(self, nlp: Language) -> int | None:
        # By the object, not by the name, which is that in another pipeline if two of them share it.
        return next((i for i, (_, proc) in enumerate(nlp.components) if proc is self), None)

    def __reduce__(self) -> tuple[Any, ...]:
        # Copies of the pipelines come with a copy of the component.
        alive = [nlp for ref in self._pipelines if (nlp := ref()) is not None]
        return type(self).__new__, (type(self),), {**vars(self), "_pipelines": alive}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _pipelines=[weakref.ref(nlp) for nlp in state["_pipelines"]])
