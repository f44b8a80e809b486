"""Score every token of every text, whoever computes the logits. Imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..types import Floats1d
from .batches import MAX_BATCH_ITEMS, check_sizes, cut
from .inputs import Inputs, has_several_short, make_batches
from .scores import TokenNlls

__all__ = ["Facts", "Inference", "LanguageModel"]

MAX_LOGITS = 1 << 27  # numbers in the logits of one batch: 256 MB in bfloat16


class Facts(NamedTuple):
    """What must be known of a language model to divide texts into batches.

    start_id (int): the token before every text.
    window (int): the most tokens of a chunk.
    vocab_size (int): the number of different tokens.
    device (str): the type of the torch device, such as "cpu".
    """

    start_id: int
    window: int
    vocab_size: int
    device: str


class Inference(NamedTuple):
    """A batch, and the tokens that follow those that count.

    inputs (Inputs): the batch.
    targets (NDArray[np.int64]): shape (n,), chunk by chunk.
    """

    inputs: Inputs
    targets: NDArray[np.int64]


class LanguageModel(ABC):
    """A causal language model, in this process or in others.

    The batches do not depend on who computes them, so the scores are equal to the last digit.
    """

    @property
    @abstractmethod
    def facts(self) -> Facts:
        """What is known of the model."""

    @property
    @abstractmethod
    def packs(self) -> bool:
        """Whether it scores packed chunks like single ones."""

    @abstractmethod
    def precision(self, dtype: str | None = None) -> str:
        """Resolve "auto": bfloat16 where the hardware is fast at it, else float32."""

    @abstractmethod
    def tokenise(self, texts: Sequence[str]) -> tuple[list[list[int]], list[NDArray[np.int64]]]:
        """The tokens of at least one text after the start token, and the characters of each but
        that one."""

    @abstractmethod
    def losses(self, batches: Iterable[Inference], *, bfloat16: bool) -> Iterator[Floats1d]:
        """The nats of the targets of each batch, in the order of the batches.

        bfloat16 (bool): compute in bfloat16.
        RAISES (SeqMixError): S574 if scores are not numbers.
        """

    def token_nlls(
        self,
        texts: Sequence[str],
        *,
        batch_size: int = 32,
        max_batch_items: int = MAX_BATCH_ITEMS,
        dtype: str | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> list[TokenNlls]:
        """Score every token of every text once, each text by itself (the terms of Eq. 9).

        Texts longer than the model's context are scored in chunks that overlap by half, so that
        tokens after the first chunk have at least half a context before them.

        texts (Sequence[str]): the texts; an empty one has no tokens.
        batch_size (int): the most texts (or chunks) of a batch.
        max_batch_items (int): the most tokens of a batch, padding included. A batch holds fewer
            where the vocabulary is large, and always at least one chunk.
        dtype (str | None): "float32", "bfloat16" (weights stay float32), "auto" (``precision``);
            None for the object's own.
        progress (Callable[[int], object] | None): called with the number of texts after each batch.
        RETURNS (list[TokenNlls]): one for each text, in the order of the texts.
        RAISES (SeqMixError): S311 if a size is below 1, S307 if the dtype is unknown, S574 if
            scores are not numbers.
        """
        bfloat16 = self.precision(dtype) == "bfloat16"
        check_sizes(batch_size=batch_size, max_batch_items=max_batch_items)
        ids, offsets = self.tokenise(texts) if texts else ([], [])
        nlls = [np.zeros(len(one) - 1, dtype=np.float32) for one in ids]
        start_id, window, vocab_size, device = self.facts
        chunks = [c for i, one in enumerate(ids) for c in cut(i, len(one) - 1, window)]
        most = min(max_batch_items, MAX_LOGITS // vocab_size)
        if progress is not None:
            progress(sum(len(one) == 1 for one in ids))
        pack = batch_size > 1 and has_several_short(chunks) and self.packs
        # In bfloat16 on a CPU, torch compiles kernels for every shape and keeps them: more than a
        # megabyte each. A few shapes only, then.
        few = bfloat16 and device == "cpu"
        sizes = batch_size, most, window
        batches = make_batches(chunks, ids, start_id, *sizes, pack=pack, few=few)
        taken: deque[Inputs] = deque()  # whose losses are to come: masks are large

        def inferences() -> Iterator[Inference]:
            for one in batches:
                taken.append(one)
                yield Inference(one, _targets(one, ids))

        for flat in self.losses(inferences(), bfloat16=bfloat16):
            batch = taken.popleft()
            done = 0
            for text, _, end, first in batch.chunks:
                nlls[text][first:end] = flat[done : done + end - first]
                done += end - first
            if progress is not None:
                progress(sum(c.end == len(ids[c.text]) - 1 for c in batch.chunks))
        return [TokenNlls(*pair) for pair in zip(nlls, offsets, strict=True)]


def _targets(batch: Inputs, ids: list[list[int]]) -> NDArray[np.int64]:
    following = [i for c in batch.chunks for i in ids[c.text][c.first + 1 : c.end + 1]]
    return np.array(following, dtype=np.int64)
