"""Where the vectors that nets read items by begin: at those of another model."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrec.data import IdMap
from fastrec.errors import InputError
from fastrec.nn.network import RANDOM_LENGTH, RecurrentNetwork
from fastrec.runtime import checks
from fastrec.search import Vectors


def starts_of(given: Any, members: int) -> list[Vectors | None]:
    """Return the vectors that items of each member shall begin with, None for random ones.

    ``given`` is one start for all (vectors, a model that has them, or None), or a list of these.
    """
    if not isinstance(given, list | tuple):
        return [_vectors_of(given)] * members
    if len(given) != members:
        raise InputError(
            f"item_vectors is a list of {len(given)}, but there are {members} members; "
            "give one for each, None for a random start"
        )
    return [_vectors_of(one) for one in given]


def _vectors_of(given: Any) -> Vectors | None:
    if given is None:
        return None
    vectors = given if isinstance(given, Vectors) else getattr(given, "item_vectors", None)
    return checks.instance_of(
        "item_vectors",
        vectors,
        Vectors,
        "Vectors or a fitted model that has item_vectors",
        "for example fit(log, item_vectors=Item2Vec(dim=256).fit(log))",
    )


def begin_with(given: Vectors, member: RecurrentNetwork, item_ids: IdMap) -> None:
    """Let a net of the items ``item_ids`` read them by given vectors; others stay as they are.

    Raises
    ------
    InputError
        Vectors of another length, of none of the items, or not finite; a net without any.
    """
    net = member.architecture
    if net.is_one_hot:
        raise InputError("item_inputs='gates' has no item vectors to begin with; leave them out")
    if given.dim != net.dim:
        raise InputError(
            f"item_vectors have {given.dim} numbers, but items are read by {net.dim}; set "
            f"{'dim' if net.item_inputs == 'separate' else 'units'}={given.dim}"
        )
    rows = given.ids.codes_in(item_ids)[:-1]
    if not (rows >= 0).any():
        raise InputError("item_vectors hold not one item of the log; are they of other ids?")
    vectors, rows = given.matrix[rows >= 0], rows[rows >= 0]
    if not np.isfinite(vectors).all():
        raise InputError("item_vectors hold NaN or infinite numbers; leave those items out")
    if net.scale > 0:
        # A step moves a vector by what the rate says: a longer one would turn more slowly.
        # Their squares are summed in float64, as float32 ends at lengths of 1e19.
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
        vectors, rows = vectors[lengths > 0], rows[lengths > 0]  # nothing has no direction
        vectors *= (RANDOM_LENGTH / lengths[lengths > 0])[:, None]
    member.inputs[rows, : net.dim] = vectors
