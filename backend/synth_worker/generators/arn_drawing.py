"""Draw the unknown cells of rows from the any-order network, column by column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from synth_worker.encoding.table_encoder import Encoded, TableEncoder
from synth_worker.generators.arn_net import ArnNet
from synth_worker.generators.weights import rows_at_once, seeded
from synth_worker.table import Bools


def draw(
    net: ArnNet,
    encoder: TableEncoder,
    start: Encoded,
    *,
    known: Bools,
    order: Sequence[int],
    rng: np.random.Generator,
    present: bool = False,
) -> Encoded:
    """Return the rows with every unknown cell drawn; ``known`` has the shape of the states.

    States that never occurred in training are never drawn, and with ``present`` neither is *missing*, where a column
    has anything else.
    """
    device = next(net.parameters()).device
    generator = seeded(rng, device)
    states, scores = (torch.as_tensor(part, device=device).clone() for part in (start.states, start.scores))
    seen = torch.as_tensor(known, device=device).float()
    impossible = [torch.as_tensor(_impossible(encoder, at, present=present), device=device) for at in range(len(order))]
    which = {place: number for number, place in enumerate(encoder.numbers)}
    chunk = rows_at_once(device)
    with torch.no_grad():
        for at in range(0, len(states), chunk):
            own, mine, given = states[at : at + chunk], scores[at : at + chunk], seen[at : at + chunk]
            entered = net.entered(own, mine, given)
            for column in order:
                rows = torch.nonzero(given[:, column] == 0)[:, 0]
                if not len(rows):
                    continue
                hidden = net.hidden(entered[rows])
                logits = net.column(hidden, column).masked_fill(impossible[column], -torch.inf)
                drawn = torch.multinomial(logits.softmax(dim=1), 1, generator=generator)[:, 0]
                own[rows, column] = drawn
                score = None
                if column in which:
                    score = torch.where(drawn == 0, _score(net, hidden, which[column], generator), 0.0)
                    mine[rows, which[column]] = score
                entered[rows] += net.also(column, drawn, score)
    return Encoded(states.cpu().numpy(), scores.cpu().numpy())


def _score(net: ArnNet, hidden: Tensor, number: int, generator: torch.Generator) -> Tensor:
    weights, means, spreads = net.density(hidden, number)
    part = torch.multinomial(weights.exp(), 1, generator=generator)
    noise = torch.empty(len(hidden), device=hidden.device).normal_(generator=generator)
    return means.gather(1, part)[:, 0] + spreads.gather(1, part)[:, 0] * noise


def _impossible(encoder: TableEncoder, column: int, *, present: bool) -> Bools:
    never = encoder.counts[column] == 0
    if present and not never[:-1].all():
        never = never.copy()
        never[-1] = True
    return never
