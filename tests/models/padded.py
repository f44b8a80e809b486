"""Padded arrays (B, T, L), in which tests write, and the packed ones of the package."""

import torch

from spacy_seqmix.annotation.packing import Packing
from spacy_seqmix.models.crf_inference import index, make_lattice, packed


def flat(padded, lengths):
    """The rows of the tokens, doc by doc."""
    return torch.cat([padded[b, :n] for b, n in enumerate(lengths)])


def lattice_of(emissions, lengths, transitions):
    return make_lattice(flat(emissions, lengths), lengths, transitions)


def pack(padded, lengths):
    return packed(flat(padded, lengths), Packing(lengths))


def unpack(values, lengths):
    """Padded with zeros."""
    out = torch.zeros((len(lengths), max(lengths), values.shape[1]), dtype=values.dtype)
    for row, places in zip(out, Packing(lengths).places, strict=True):
        row[: len(places)] = values[index(places, values)]
    return out
