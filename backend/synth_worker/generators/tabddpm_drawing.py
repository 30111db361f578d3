"""Draw rows by endpoint diffusion: states are revealed step by step, then scores lose their noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

from synth_worker.encoding.numbers import NumberCodec
from synth_worker.encoding.table_encoder import Encoded, TableEncoder
from synth_worker.generators.diffusion import levels, scaling
from synth_worker.generators.tabddpm_loss import open_columns
from synth_worker.generators.tabddpm_net import EndpointNet, Seen
from synth_worker.generators.weights import seeded
from synth_worker.table import Floats

CHUNK = 4_000
"""Rows that are drawn at once: enough to fill a processor, few enough for its cache."""


@dataclass(frozen=True)
class Walk:
    """Say how a sample is drawn.

    ``reveals`` is the most steps in which states are revealed, ``steps`` those in which scores lose their noise;
    ``churn`` is how much of the noise taken away by a step is added anew before it.
    """

    reveals: int = 32
    steps: int = 25
    churn: float = 0.4
    heun: bool = False


WALK = Walk()


def draw(
    net: EndpointNet,
    encoder: TableEncoder,
    rows: int,
    *,
    values: Mapping[int, Floats],
    rng: np.random.Generator,
    walk: Walk = WALK,
) -> Encoded:
    """Return ``rows`` encoded rows; ``values`` are those of given columns (place among the free ones -> shape (rows,)).

    States that never occurred in training are never drawn, nor scores beyond those of the training rows.
    """
    device = next(net.parameters()).device
    generator = seeded(rng, device)
    start = given_cells(encoder, values, rows=rows, rng=rng)
    states = torch.as_tensor(start.states, device=device)
    scores = torch.as_tensor(start.scores, device=device)
    with torch.no_grad():
        for at in range(0, rows, CHUNK):
            own, mine = states[at : at + CHUNK], scores[at : at + CHUNK]
            fixed = torch.zeros(len(encoder.free), device=device)
            fixed[list(values)] = 1.0
            clean = fixed[net.places] * (own[:, net.places] == 0)
            _reveal(net, encoder, own, mine, clean, given=set(values), walk=walk, generator=generator)
            _denoise(net, own, mine, clean, limits=limits(encoder, device), walk=walk, generator=generator)
    return Encoded(states.cpu().numpy(), scores.cpu().numpy())


def _reveal(
    net: EndpointNet,
    encoder: TableEncoder,
    states: Tensor,
    scores: Tensor,
    clean: Tensor,
    *,
    given: set[int],
    walk: Walk,
    generator: torch.Generator,
) -> None:
    """Draw the hidden states in place, in an order of its own for each row."""
    device, rows = states.device, len(states)
    impossible = [torch.as_tensor(counts == 0, device=device) for counts in encoder.counts]
    hidden_columns = [place for place in open_columns(encoder) if place not in given]
    for place in set(range(len(impossible))) - set(hidden_columns) - given:
        states[:, place] = int(np.argmax(encoder.counts[place]))
    if not hidden_columns:
        return
    steps = min(walk.reveals, len(hidden_columns))
    noise = torch.rand(rows, len(hidden_columns), generator=generator, device=device)
    turn = noise.argsort(dim=1).argsort(dim=1) * steps // len(hidden_columns)
    told = torch.ones(states.shape, device=device)
    told[:, hidden_columns] = 0.0
    still = torch.zeros(rows, 1, device=device)
    for step in range(steps):
        seen = Seen(states, told, scores * clean, clean, torch.zeros_like(scores), still)
        logits = net.states(net.hidden(seen))
        for number, place in enumerate(hidden_columns):
            now = (turn[:, number] == step).nonzero()[:, 0]
            if len(now):
                begin = int(net.starts[place])
                own = logits[now, begin : begin + len(impossible[place])].masked_fill(impossible[place], -torch.inf)
                states[now, place] = torch.multinomial(own.softmax(dim=1), 1, generator=generator)[:, 0]
                told[now, place] = 1.0


def _denoise(
    net: EndpointNet,
    states: Tensor,
    scores: Tensor,
    clean: Tensor,
    *,
    limits: Tensor,
    walk: Walk,
    generator: torch.Generator,
) -> None:
    """Draw the scores in place: from noise to none (Karras et al. 2022, algorithm 2)."""
    noisy = (states[:, net.places] == 0) * (1 - clean)
    if not bool(noisy.any()):
        return
    told = torch.ones(states.shape, device=states.device)

    def endpoint(values: Tensor, level: float) -> Tensor:
        own = torch.full((len(states), 1), level, device=states.device)
        scaled = scaling(own)
        shown = clean * scores + noisy * scaled.inside * values
        free = net.scores(net.hidden(Seen(states, told, shown, clean, noisy, own)))
        return torch.clamp(scaled.skip * values + scaled.out * free, -limits, limits)

    def fresh() -> Tensor:
        return torch.empty_like(scores).normal_(generator=generator)

    path = levels(walk.steps)
    values = fresh() * path[0]
    for level, lower in zip(path[:-1], path[1:], strict=True):
        # Some noise is added anew before each step: errors of earlier steps are forgotten.
        higher = level * (1 + min(walk.churn, math.sqrt(2) - 1)) if lower > 0 else level
        values = values + fresh() * math.sqrt(higher**2 - level**2)
        slope = (values - endpoint(values, higher)) / higher
        moved = values + (lower - higher) * slope
        if walk.heun and lower > 0:
            moved = values + (lower - higher) * 0.5 * (slope + (moved - endpoint(moved, lower)) / lower)
        values = moved
    scores.copy_(torch.where(noisy > 0, values.clamp(-limits, limits), scores * clean))


def limits(encoder: TableEncoder, device: torch.device) -> Tensor:
    """Return the largest score of each number column among training rows, shape (numbers,)."""
    found: list[float] = []
    for place in encoder.numbers:
        codec = encoder.codecs[encoder.free[place]]
        assert isinstance(codec, NumberCodec)  # noqa: S101 - what ``numbers`` means
        found.append(float(ndtri(1 - 0.25 / max(codec.size, 1))))
    return torch.tensor(found, device=device)


def given_cells(encoder: TableEncoder, values: Mapping[int, Floats], *, rows: int, rng: np.random.Generator) -> Encoded:
    """Encode the given columns; the others hold anything."""
    columns: list[Floats] = []
    for place, at in enumerate(encoder.free):
        filler = np.full(rows, np.nan if encoder.schema.columns[at].continuous else -1.0)
        columns.append(values.get(place, filler))
    return encoder.encode_columns(columns, rows=rows, rng=rng)
