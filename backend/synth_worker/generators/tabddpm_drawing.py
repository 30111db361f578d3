"""Draw rows by endpoint diffusion: step by step states are revealed and scores lose their noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

from synth_worker.encoding.numbers import BODY, NumberCodec
from synth_worker.encoding.table_encoder import Encoded, TableEncoder
from synth_worker.generators.diffusion import PACE, Pace, levels
from synth_worker.generators.segments import drawn_states
from synth_worker.generators.tabddpm_loss import open_columns
from synth_worker.generators.tabddpm_net import EndpointNet, Seen
from synth_worker.generators.weights import rows_at_once, seeded
from synth_worker.table import Floats


@dataclass(frozen=True)
class Walk:
    """Say how a sample is drawn: in how many ``steps``, and at which ``pace`` states are revealed.

    ``churn`` is the share by which noise grows anew before each step; ``straight`` takes straight steps.
    """

    steps: int = 50
    pace: Pace = PACE
    churn: float = 0.0
    straight: bool = False


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
    hidden = [place for place in open_columns(encoder) if place not in values]
    for place in set(range(len(encoder.free))) - set(hidden) - set(values):
        states[:, place] = int(np.argmax(encoder.counts[place]))
    walker = _Walker(net, encoder, walk, hidden=hidden, given=list(values), generator=generator)
    chunk = rows_at_once(device)
    with torch.no_grad():
        for at in range(0, rows, chunk):
            walker.through(states[at : at + chunk], scores[at : at + chunk])
    return Encoded(states.cpu().numpy(), scores.cpu().numpy())


class _Walker:
    """Walk from noise to rows, for one chunk of rows after the other.

    Scaled to unit variance, a noisy score lies on the arc from noise (a quarter turn) to the score (angle 0), and the
    network's free part is its velocity along it (Lu and Song 2025, Simplifying Continuous-time Consistency Models,
    section 3.1). NOTE[DIFF]: steps go along the arc, not straight on (Karras et al. 2022, algorithm 2): those lose 7 %
    of the standard deviation in 25 steps, these none where a column is independent and less than 4 % elsewhere.
    """

    def __init__(
        self,
        net: EndpointNet,
        encoder: TableEncoder,
        walk: Walk,
        *,
        hidden: list[int],
        given: list[int],
        generator: torch.Generator,
    ) -> None:
        device = generator.device
        self.net, self.walk, self.generator = net, walk, generator
        self.told = torch.ones(len(encoder.free), device=device)
        self.told[hidden] = 0.0
        fixed = torch.zeros(len(encoder.free), device=device)
        fixed[given] = 1.0
        self.fixed = fixed[net.places]
        counts = np.concatenate(encoder.counts) if encoder.counts else np.zeros(0)
        self.impossible = torch.as_tensor(counts == 0, device=device)
        self.bound = limits(encoder, device)

    def through(self, states: Tensor, scores: Tensor) -> None:
        """Draw in place; given cells are left as they are."""
        told = self.told.repeat(len(states), 1)
        clean = self.fixed * (states[:, self.net.places] == BODY)
        values = self._noise(scores)
        for level, lower in pairwise(levels(self.walk.steps)):
            higher = level * (1 + self.walk.churn) if lower > 0 else level
            values = self._churned(values, level, higher)
            absent = (states != BODY)[:, self.net.places] * told[:, self.net.places]
            noisy = (1 - absent) * (1 - clean)
            own = torch.full((len(states), 1), higher, device=states.device)
            inner = self.net.hidden(Seen(states, told, clean * scores + noisy * values, clean, noisy, own))
            values = self._moved(values, self.net.scores(inner), higher, lower)
            self._reveal(states, told, inner, self.walk.pace.time(lower) / self.walk.pace.time(level))
        body = (states[:, self.net.places] == BODY) * (1 - clean)
        scores.copy_(torch.where(body > 0, values.clamp(-self.bound, self.bound), scores * clean))

    def _churned(self, values: Tensor, level: float, higher: float) -> Tensor:
        if higher <= level:
            return values
        kept = math.cos(math.atan(higher)) / math.cos(math.atan(level))
        return kept * values + math.sqrt(1 - kept**2) * self._noise(values)

    def _moved(self, values: Tensor, free: Tensor, level: float, lower: float) -> Tensor:
        """Return the scores at a lower level; the endpoint is held within the scores that occurred."""
        angle = math.atan(level)
        ahead = math.cos(angle) * values
        endpoint = torch.clamp(ahead + math.sin(angle) * free, -self.bound, self.bound)
        velocity = (endpoint - ahead) / math.sin(angle)
        turn = angle - math.atan(lower)
        stay, push = (math.cos(turn), math.sin(turn)) if self.walk.straight else (1.0, turn)
        return stay * values + push * velocity

    def _reveal(self, states: Tensor, told: Tensor, inner: Tensor, remain: float) -> None:
        """Reveal hidden states, in place; a share ``remain`` of them stays hidden."""
        chance = torch.rand(told.shape, generator=self.generator, device=told.device)
        now = (chance >= remain) & (told == 0)
        if not bool(now.any()):
            return
        logits = self.net.states(inner).masked_fill(self.impossible, -torch.inf)
        drawn = drawn_states(logits, starts=self.net.starts, segments=self.net.segments, generator=self.generator)
        states.copy_(torch.where(now, drawn, states))
        told.copy_(torch.where(now, 1.0, told))

    def _noise(self, like: Tensor) -> Tensor:
        return torch.empty_like(like).normal_(generator=self.generator)


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
