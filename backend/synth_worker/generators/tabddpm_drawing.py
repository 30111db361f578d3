"""Draw rows by endpoint diffusion: states are revealed step by step, then scores lose their noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

from synth_worker.encoding.numbers import NumberCodec
from synth_worker.encoding.table_encoder import Encoded, TableEncoder
from synth_worker.generators.diffusion import levels
from synth_worker.generators.tabddpm_loss import drawing_order
from synth_worker.generators.tabddpm_net import EndpointNet, Seen
from synth_worker.generators.weights import seeded
from synth_worker.table import Floats

CHUNK = 4_000
"""Rows that are drawn at once: enough to fill a processor, few enough for its cache."""


@dataclass(frozen=True)
class Walk:
    """Say how a sample is drawn.

    ``reveals`` is the most steps in which states are revealed, ``steps`` those in which scores lose their noise;
    ``churn`` is the share by which noise grows anew before each step. ``straight`` takes straight steps, ``ordered``
    reveals states in the same order in all rows.
    """

    reveals: int = 32
    steps: int = 25
    churn: float = 0.0
    straight: bool = False
    ordered: bool = False


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
    fixed = torch.zeros(len(encoder.free), device=device)
    fixed[list(values)] = 1.0
    hidden = [place for place in drawing_order(encoder) if place not in values]
    for place in set(range(len(encoder.free))) - set(hidden) - set(values):
        states[:, place] = int(np.argmax(encoder.counts[place]))
    bound = limits(encoder, device)
    with torch.no_grad():
        for at in range(0, rows, CHUNK):
            own, mine = states[at : at + CHUNK], scores[at : at + CHUNK]
            some = _Rows(own, mine, fixed[net.places] * (own[:, net.places] == 0))
            _reveal(net, encoder, some, hidden=hidden, walk=walk, generator=generator)
            _denoise(net, some, bound=bound, walk=walk, generator=generator)
    return Encoded(states.cpu().numpy(), scores.cpu().numpy())


@dataclass(frozen=True, eq=False)
class _Rows:
    """Hold rows that are written into; ``clean`` is 1 where a score is known from the beginning."""

    states: Tensor
    scores: Tensor
    clean: Tensor


def _reveal(
    net: EndpointNet,
    encoder: TableEncoder,
    some: _Rows,
    *,
    hidden: Sequence[int],
    walk: Walk,
    generator: torch.Generator,
) -> None:
    """Draw the states of hidden columns, in an order of its own for each row."""
    states, device = some.states, some.states.device
    steps = min(walk.reveals, len(hidden))
    turn = torch.arange(len(hidden), device=device).expand(len(states), -1)
    if not walk.ordered:
        turn = torch.rand(turn.shape, generator=generator, device=device).argsort(dim=1).argsort(dim=1)
    turn = turn * steps // max(len(hidden), 1)
    impossible = {place: torch.as_tensor(encoder.counts[place] == 0, device=device) for place in hidden}
    told = torch.ones(states.shape, device=device)
    told[:, list(hidden)] = 0.0
    still = torch.zeros(len(states), 1, device=device)
    for step in range(steps):
        shown = Seen(states, told, some.scores * some.clean, some.clean, torch.zeros_like(some.scores), still)
        logits = net.states(net.hidden(shown))
        for number, place in enumerate(hidden):
            now = (turn[:, number] == step).nonzero()[:, 0]
            if len(now):
                begin = int(net.starts[place])
                own = logits[now, begin : begin + len(impossible[place])].masked_fill(impossible[place], -torch.inf)
                states[now, place] = torch.multinomial(own.softmax(dim=1), 1, generator=generator)[:, 0]
                told[now, place] = 1.0


def _denoise(net: EndpointNet, some: _Rows, *, bound: Tensor, walk: Walk, generator: torch.Generator) -> None:
    """Draw the scores, from noise to none.

    Scaled to unit variance, a noisy score lies on the arc from noise (a quarter turn) to the score (angle 0), and the
    network's free part is its velocity along it (Lu and Song 2025, Simplifying Continuous-time Consistency Models,
    section 3.1). NOTE[DIFF]: steps go along the arc, not straight on (Karras et al. 2022, algorithm 2): those lose 7 %
    of the standard deviation in 25 steps, these none where a column is independent and less than 4 % elsewhere.
    """
    states, scores, clean = some.states, some.scores, some.clean
    noisy = (states[:, net.places] == 0) * (1 - clean)
    if not bool(noisy.any()):
        return
    told = torch.ones(states.shape, device=states.device)
    values = torch.empty_like(scores).normal_(generator=generator)
    for level, lower in pairwise(levels(walk.steps)):
        higher = level * (1 + walk.churn) if lower > 0 else level
        if higher > level:
            kept = math.cos(math.atan(higher)) / math.cos(math.atan(level))
            noise = torch.empty_like(values).normal_(generator=generator)
            values = kept * values + math.sqrt(1 - kept**2) * noise
        angle = math.atan(higher)
        own = torch.full((len(states), 1), higher, device=states.device)
        shown = Seen(states, told, clean * scores + noisy * values, clean, noisy, own)
        ahead = math.cos(angle) * values
        endpoint = torch.clamp(ahead + math.sin(angle) * net.scores(net.hidden(shown)), -bound, bound)
        velocity = (endpoint - ahead) / math.sin(angle)
        turn = angle - math.atan(lower)
        stay, push = (math.cos(turn), math.sin(turn)) if walk.straight else (1.0, turn)
        values = stay * values + push * velocity
    scores.copy_(torch.where(noisy > 0, values.clamp(-bound, bound), scores * clean))


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
