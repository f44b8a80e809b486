"""The registered strategies of SegMix (2023): MMix, TMix, and plain mention replacement."""

from ..layers import ENTS
from .pool import Draw, Mentions, PooledSegments, Tokens


def make_mention(
    same_type: bool = False,
    segments: int = 1,
    alpha: float = 8.0,
    fold: bool = False,
    layer: str = ENTS,
) -> PooledSegments:
    """Create the mention strategy, MMix: mentions are mixed with mentions of other docs.

    Mentions may differ in length: the realiser says what becomes of the rest of the longer one.

    same_type (bool): mix mentions of one label only; their labels then stay hard.
    segments (int): at most so many mentions of a doc are mixed; 0 for all.
    alpha (float): of λ ~ Beta(α, α), the share of the doc's own mention.
    fold (bool): take λ or 1 − λ, whichever is larger, so that a doc's own mention prevails.
    layer (str): "ents", or "spans:KEY" of a span categoriser (docs whose spans overlap are not
        mixed).
    RETURNS (PooledSegments): a Strategy.
    RAISES (SeqMixError): S210 for values out of range, S217 for an unknown layer, S248 for one
        without mentions.
    """
    draw = Draw(segments, alpha, fold)
    return PooledSegments(Mentions(same_type, layer), draw)


def make_token(
    same_type: bool = False,
    outside: bool = True,
    segments: int = 1,
    alpha: float = 8.0,
    fold: bool = False,
    layer: str = ENTS,
) -> PooledSegments:
    """Create the token strategy, TMix: single words are mixed with words of other docs.

    outside (bool): take words with the tag "O" too, and not those in entities alone.
    layer (str): "ents", "tags" or "spans:KEY".

    Other arguments, result and errors as in ``make_mention``, for words instead of mentions;
    ``same_type`` compares IOB2 tags.
    """
    draw = Draw(segments, alpha, fold)
    return PooledSegments(Tokens(same_type, outside, layer), draw)


def make_mention_replacement(segments: int = 1, layer: str = ENTS) -> PooledSegments:
    """Create mention replacement: mentions give way to others of the same label (λ = 0).

    Nothing is mixed, so no realiser has anything to do, and labels stay hard: the baseline that
    mixing has to beat. Arguments, result and errors as in ``make_mention``.
    """
    return PooledSegments(Mentions(True, layer), Draw(segments, replace=True))
