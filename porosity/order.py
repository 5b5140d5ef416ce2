"""In which order trials are made: a seeded permutation, known from the plan alone, that no memory has to hold.

Within a repeat the cells come in random order, in batches of at most 200 trials (RULE `cells-1`). The resolvers of a cell are asked one after the
other, so that a tested one and its controls are asked at the same time, in an order that changes from cell to cell. Canaries are dealt out evenly:
every batch has one, at every resolver.

The permutation is a Feistel network of four rounds over the smallest power of four that holds all cells, walked until it is inside (Black and
Rogaway, "Ciphers with arbitrary finite domains", 2002): any place can be had by itself, on any machine, by any release of any library.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from porosity.plan import Plan, batch_cells

if TYPE_CHECKING:
    from porosity.observations import Done

RULE = "cells-1"
"""The name of this order in plans. Another order gets another name."""

_ROUNDS = 4
_MASK = (1 << 64) - 1

Numbers = NDArray[np.uint64]


def batches(plan: Plan) -> int:
    """How many batches a repeat has."""
    # One less than a batch may have: canaries and others are dealt out apart, and both may come out one more.
    return -(-plan.cells // (batch_cells(plan.measured) - 1))


def batch(plan: Plan, repeat: int, number: int) -> list[int]:
    """The trials of one batch, by number, in the order in which they are made."""
    count, vectors = batches(plan), len(plan.vectors)
    canary_cells = plan.canaries * vectors
    parts = []
    for first, size, salt in ((0, canary_cells, 1), (canary_cells, plan.cells - canary_cells, 2)):
        places = np.arange(number * size // count, (number + 1) * size // count, dtype=np.uint64)
        parts.append(permuted(places, size, _key(plan.seed, repeat, salt)) + np.uint64(first))
    cells = np.concatenate(parts)
    cells = cells[np.argsort(_mixed(cells, _key(plan.seed, repeat, 3)), kind="stable")]
    turns = _mixed(cells, _key(plan.seed, repeat, 4)) % np.uint64(plan.measured)
    base = repeat * plan.cells
    found = []
    for cell, shift in zip(cells.tolist(), turns.tolist(), strict=True):
        if cell >= canary_cells and cell % vectors in plan.alike:
            continue
        start = (base + cell) * plan.measured
        found += [start + (shift + each) % plan.measured for each in range(plan.measured)]
    return found


def trials(plan: Plan, done: Done | None = None) -> Iterator[int]:
    """The numbers of all trials of the plan in their order, without those that are done."""
    for repeat in range(plan.repeats):
        for number in range(batches(plan)):
            for trial in batch(plan, repeat, number):
                if done is None or trial not in done:
                    yield trial


def permuted(places: Numbers, size: int, key: int) -> Numbers:
    """What stands at these places (each under `size`) of the permutation of 0 … size - 1 that `key` names."""
    half = max(1, -(-(max(size, 1) - 1).bit_length() // 2))
    low = np.uint64((1 << half) - 1)
    found = places.astype(np.uint64)
    outside = np.ones(len(found), dtype=bool)
    while outside.any():
        left, right = found[outside] >> np.uint64(half), found[outside] & low
        for turn in range(_ROUNDS):
            left, right = right, left ^ (_mixed(right, key + turn) & low)
        found[outside] = left << np.uint64(half) | right
        outside = found >= size
    return found


def _key(seed: int, repeat: int, salt: int) -> int:
    start = np.array([(seed * 0x9E3779B97F4A7C15 + repeat * 0xD1B54A32D192ED03 + salt) & _MASK], dtype=np.uint64)
    return int(_mixed(start, 0)[0])


def _mixed(values: Numbers, key: int) -> Numbers:
    """SplitMix64's finishing steps (Steele, Lea and Flood, 2014) over values and a key."""
    mixed = (values + np.uint64(key * 0x9E3779B97F4A7C15 & _MASK)) ^ np.uint64(key & _MASK)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
