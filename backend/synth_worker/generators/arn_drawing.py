"""Draw rows from the any-order network, column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from synth_worker.encoding.table_encoder import Encoded, TableEncoder
from synth_worker.generators.arn_net import ArnNet
from synth_worker.generators.weights import seeded
from synth_worker.table import Floats

CHUNK = 4_000
"""Rows that are drawn at once: enough to fill a processor, few enough for its cache."""


def draw(
    net: ArnNet,
    encoder: TableEncoder,
    rows: int,
    *,
    order: Sequence[int],
    values: Mapping[int, Floats],
    rng: np.random.Generator,
) -> Encoded:
    """Return ``rows`` encoded rows; ``values`` are those of given columns (place among the free ones -> shape (rows,)).

    States that never occurred in training are never drawn.
    """
    device = next(net.parameters()).device
    generator = seeded(rng, device)
    start = _given(encoder, values, rows=rows, rng=rng)
    states = torch.as_tensor(start.states, device=device)
    scores = torch.as_tensor(start.scores, device=device)
    impossible = [torch.as_tensor(counts == 0, device=device) for counts in encoder.counts]
    which = {place: number for number, place in enumerate(encoder.numbers)}
    free = [column for column in order if column not in values]
    with torch.no_grad():
        for at in range(0, rows, CHUNK):
            own, mine = states[at : at + CHUNK], scores[at : at + CHUNK]
            known = torch.zeros(own.shape, device=device)
            known[:, list(values)] = 1.0
            for column in free:
                hidden = net.hidden(own, mine, known)
                logits = net.column(hidden, column).masked_fill(impossible[column], -torch.inf)
                own[:, column] = torch.multinomial(logits.softmax(dim=1), 1, generator=generator)[:, 0]
                if column in which:
                    weights, means, spreads = net.density(hidden, which[column])
                    part = torch.multinomial(weights.exp(), 1, generator=generator)
                    noise = torch.empty(len(own), device=device).normal_(generator=generator)
                    drawn = means.gather(1, part)[:, 0] + spreads.gather(1, part)[:, 0] * noise
                    mine[:, which[column]] = torch.where(own[:, column] == 0, drawn, 0.0)
                known[:, column] = 1.0
    return Encoded(states.cpu().numpy(), scores.cpu().numpy())


def _given(encoder: TableEncoder, values: Mapping[int, Floats], *, rows: int, rng: np.random.Generator) -> Encoded:
    """Encode the given columns; the others hold anything."""
    columns: list[Floats] = []
    for place, at in enumerate(encoder.free):
        filler = np.full(rows, np.nan if encoder.schema.columns[at].continuous else -1.0)
        columns.append(values.get(place, filler))
    return encoder.encode_columns(columns, rows=rows, rng=rng)
