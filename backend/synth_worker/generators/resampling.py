"""Draw what goes with given values from a model that cannot be conditioned: weigh many draws, and draw again by weight.

Sampling importance resampling (Rubin 1987): exact with many draws. Draws of large weight are used several times; what
else is random in a row is drawn anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from synth_worker.encoding.table_encoder import TableEncoder
from synth_worker.table import Floats

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


def choose(
    encoder: TableEncoder,
    values: Mapping[int, Floats],
    *,
    rows: int,
    rng: np.random.Generator,
    generator: torch.Generator,
    log_weights: Callable[[Wanted], Tensor],
) -> Tensor:
    """Return for each row the position of the draw it is made from, shape (rows,).

    ``values`` are those of given columns (place among the free ones -> shape (rows,)), ``log_weights`` says how well
    each draw goes with one combination of them.
    """
    together, of_row = np.unique(np.stack(list(values.values()), axis=1), axis=0, return_inverse=True)
    chosen = torch.zeros(rows, dtype=torch.long, device=generator.device)
    for at, combination in enumerate(together):
        own = np.flatnonzero(of_row.ravel() == at)
        weights = log_weights(_wanted(encoder, dict(zip(values, combination, strict=True)), rng)).double()
        shares = (weights - weights.amax()).exp()
        drawn = torch.multinomial(shares, len(own), replacement=True, generator=generator)
        chosen[torch.as_tensor(own, device=chosen.device)] = drawn
    return chosen


def _wanted(encoder: TableEncoder, given: Mapping[int, float], rng: np.random.Generator) -> Wanted:
    columns: list[Floats] = []
    for place, at in enumerate(encoder.free):
        filler = np.nan if encoder.schema.columns[at].continuous else -1.0
        columns.append(np.array([given.get(place, filler)]))
    encoded = encoder.encode_columns(columns, rows=1, rng=rng)
    states = {place: int(encoded.states[0, place]) for place in given}
    bodies = {place: number for number, place in enumerate(encoder.numbers) if states.get(place) == 0}
    return Wanted(states, {number: float(encoded.scores[0, number]) for number in bodies.values()})
