"""Draw what goes with given values from a model that cannot be conditioned: weigh many draws, and draw again by weight.

Sampling importance resampling (Rubin 1987): exact with many draws. Draws of large weight are used several times; what
else is random in a row is drawn anew each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from synth_worker.encoding.table_encoder import TableEncoder
from synth_worker.table import Floats, Ints

LEAST_CANDIDATES = 8_192
CANDIDATES_PER_ROW = 4


@dataclass(frozen=True, eq=False)
class Wanted:
    """Hold one combination of given values, encoded: ``states`` and ``scores`` by place.

    States are keyed by the place among the free columns, scores by that among the number columns and only for a body.
    """

    states: Mapping[int, int]
    scores: Mapping[int, float]


def candidates_for(rows: int) -> int:
    """Return how many draws to weigh for so many rows.

    >>> [candidates_for(rows) for rows in (10, 5_000)]
    [8192, 20000]
    """
    return max(LEAST_CANDIDATES, CANDIDATES_PER_ROW * rows)


def combinations(
    encoder: TableEncoder, values: Mapping[int, Floats], *, rng: np.random.Generator
) -> Iterator[tuple[Wanted, Ints]]:
    """Yield each combination of given values once, with the positions of the rows that are to have it.

    ``values`` are those of given columns: place among the free ones -> shape (rows,).
    """
    together, of_row = np.unique(np.stack(list(values.values()), axis=1), axis=0, return_inverse=True)
    for at, combination in enumerate(together):
        given = dict(zip(values, combination.tolist(), strict=True))
        yield _wanted(encoder, given, rng), np.flatnonzero(of_row.ravel() == at)


def pick(log_weights: Tensor, rows: int, *, generator: torch.Generator) -> Tensor:
    """Return the positions of draws, shape (rows,), each taken in proportion to its weight."""
    shares = (log_weights.double() - log_weights.max()).exp()
    return torch.multinomial(shares, rows, replacement=True, generator=generator)


def _wanted(encoder: TableEncoder, given: Mapping[int, float], rng: np.random.Generator) -> Wanted:
    columns: list[Floats] = []
    for place, at in enumerate(encoder.free):
        filler = np.nan if encoder.schema.columns[at].continuous else -1.0
        columns.append(np.array([given.get(place, filler)]))
    encoded = encoder.encode_columns(columns, rows=1, rng=rng)
    states = {place: int(encoded.states[0, place]) for place in given}
    bodies = {place: number for number, place in enumerate(encoder.numbers) if states.get(place) == 0}
    return Wanted(states, {number: float(encoded.scores[0, number]) for number in bodies.values()})
