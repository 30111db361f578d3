"""Draw rows from the maker of ``ctgan``, and mend the shares and margins of what it draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor, nn

from synth_worker.encoding.numbers import BODY
from synth_worker.encoding.table_encoder import Encoded, TableEncoder
from synth_worker.generators.assembly import assemble
from synth_worker.generators.column_logits import calibrated
from synth_worker.generators.ctgan_conditions import Conditions
from synth_worker.generators.ctgan_net import NOISE, Maker
from synth_worker.generators.resampling import Wanted, candidates_for, combinations, pick
from synth_worker.generators.weights import rows_at_once, seeded
from synth_worker.table import Floats, Table

CALIBRATED_ON = 8_000
"""Drawn rows by which shares and margins are mended, and the averages of the layers' inputs taken."""

LEVELS = 101
"""Points of the curve that makes scores normal."""

NEAR = 0.15
"""How far from a given number, in normal scores, drawn ones go with it."""

MOMENTUM = 0.1
"""Weight of a batch in the running averages while training (PyTorch's own)."""

LEAST_LIKELY = 20.0
"""A state that never occurred is taken to be this much less likely, in logarithms, where it is given nevertheless."""


@dataclass(frozen=True, eq=False)
class CtganModel:
    """Hold the encoder of tables and the maker of rows.

    ``added`` is what logits of states are moved by, shape (all states,), minus infinity for one that never occurred;
    ``curve`` holds the quantiles of drawn scores at even levels, ascending, shape (numbers, LEVELS).
    """

    encoder: TableEncoder
    maker: Maker
    added: Tensor
    curve: Floats


@dataclass(frozen=True, eq=False)
class _Made:
    """Hold what the maker says of rows: log-shares of states, and scores."""

    shares: Tensor
    scores: Tensor


def complete(encoder: TableEncoder, maker: Maker, *, generator: torch.Generator) -> CtganModel:
    """Return the model of a trained maker, its statistics taken anew from what it draws (Brock et al. 2019, 4.1).

    The averaged weights were never trained with the averages that they see; a pass over drawn rows gives them these.
    """
    device = generator.device
    conditions = Conditions(maker.segments, encoder.counts, device=device)
    norms = [one for one in maker.modules() if isinstance(one, nn.BatchNorm1d)]
    columns, states = conditions.draw(CALIBRATED_ON, even=False, generator=generator)
    noise = torch.empty(CALIBRATED_ON, NOISE, device=device).normal_(generator=generator)
    with torch.no_grad():
        for norm in norms:
            norm.momentum = 1.0
        maker.train()
        maker(noise, conditions.vector(columns, states))
        for norm in norms:
            norm.momentum = MOMENTUM
        maker.eval()
        logits, scores = maker(noise, conditions.vector(columns, states))
        added = calibrated(maker.segments, logits, encoder.counts)
        drawn = _states(logits + added, maker, generator)
    body = (drawn[:, list(encoder.numbers)] == BODY).cpu().numpy()
    levels = np.linspace(0.0, 1.0, LEVELS)
    values = scores.cpu().numpy().astype(np.float64)
    curve = np.zeros((values.shape[1], LEVELS))
    for at in range(len(curve)):
        curve[at] = _quantiles(values[body[:, at], at], levels)
    return CtganModel(encoder, maker, added, curve)


def _quantiles(values: Floats, levels: Floats) -> Floats:
    """Return ascending quantiles; of too few drawn values nothing is to be learnt."""
    if len(values) < LEVELS:
        return ndtri(np.clip(levels, 0.25 / LEVELS, 1 - 0.25 / LEVELS))
    return np.maximum.accumulate(np.quantile(values, levels) + np.arange(len(levels)) * 1e-9)


def draw(model: CtganModel, rows: int, *, rng: np.random.Generator, fixed: Mapping[str, float]) -> Table:
    """Draw a table; ``fixed`` are given values by column (codes for labels)."""
    encoder = model.encoder
    generator = seeded(rng, model.added.device)
    conditions = Conditions(model.maker.segments, encoder.counts, device=generator.device)
    values = encoder.fixed(fixed, rows=rows, rng=rng)
    if values and rows:
        states = torch.zeros(rows, len(encoder.widths), dtype=torch.long, device=generator.device)
        scores = torch.zeros(rows, len(encoder.numbers), device=generator.device)
        for wanted, places in combinations(encoder, values, rng=rng):
            own = torch.as_tensor(places, device=generator.device)
            made = _made_for(model, wanted, len(places), conditions=conditions, generator=generator)
            states[own], scores[own] = _states(made.shares, model.maker, generator), made.scores
    else:
        columns, wished = conditions.draw(rows, even=False, generator=generator)
        made = _made(model, columns, wished, conditions=conditions, generator=generator)
        states, scores = _states(made.shares, model.maker, generator), made.scores
        if len(conditions.usable) and rows:
            states.scatter_(1, columns[:, None], wished[:, None])
    columns_drawn = encoder.decode(Encoded(states.cpu().numpy(), scores.cpu().numpy()), rng=rng)
    for place, given in values.items():
        columns_drawn[encoder.free[place]] = given
    for name, value in fixed.items():
        columns_drawn[encoder.schema.names.index(name)] = np.full(rows, value)
    return assemble(encoder.schema, columns_drawn)


def _made_for(
    model: CtganModel, wanted: Wanted, rows: int, *, conditions: Conditions, generator: torch.Generator
) -> _Made:
    """Make rows that go with given cells: their rarest state is the condition, the others weigh what was made."""
    count = candidates_for(rows)
    columns, states = conditions.draw(count, even=False, generator=generator)
    usable = set(conditions.usable.tolist())
    rarest = min((conditions.share(place, state), place) for place, state in wanted.states.items())[1]
    if rarest in usable:
        columns, states = torch.full_like(columns, rarest), torch.full_like(states, wanted.states[rarest])
    made = _made(model, columns, states, conditions=conditions, generator=generator)
    weights = torch.zeros(count, device=generator.device)
    for place, state in wanted.states.items():
        if place != rarest:
            weights += made.shares[:, int(model.maker.segments.starts[place]) + state].clamp_min(-LEAST_LIKELY)
    for number, score in wanted.scores.items():
        weights += -0.5 * ((made.scores[:, number] - score) / NEAR) ** 2
    chosen = pick(weights, rows, generator=generator)
    return _Made(made.shares[chosen], made.scores[chosen])


def _made(
    model: CtganModel, columns: Tensor, states: Tensor, *, conditions: Conditions, generator: torch.Generator
) -> _Made:
    vector = conditions.vector(columns, states)
    noise = torch.empty(len(columns), NOISE, device=generator.device).normal_(generator=generator)
    shares = torch.zeros_like(vector)
    scores = torch.zeros(len(columns), len(model.encoder.numbers), device=generator.device)
    model.maker.eval()
    chunk = rows_at_once(generator.device)
    with torch.no_grad():
        for at in range(0, len(columns), chunk):
            part = slice(at, at + chunk)
            logits, raw = model.maker(noise[part], vector[part])
            shares[part] = model.maker.segments.log_shares(logits + model.added)
            scores[part] = torch.as_tensor(_straightened(raw.double().cpu().numpy(), model.curve)).to(scores)
    return _Made(shares, scores)


def _straightened(scores: Floats, curve: Floats) -> Floats:
    """Make scores normal: what the maker draws with a wrong margin gets the right one, in the same order."""
    levels = np.linspace(0.0, 1.0, LEVELS)
    found = np.zeros(scores.shape, dtype=np.float64)
    for at, own in enumerate(curve):
        found[:, at] = ndtri(np.clip(np.interp(scores[:, at], own, levels), 1e-4, 1 - 1e-4))
    return found


def _states(shares: Tensor, maker: Maker, generator: torch.Generator) -> Tensor:
    """Draw a state of each column, shape (rows, columns)."""
    found = [
        torch.multinomial(own.softmax(dim=1), 1, generator=generator) for own in shares.split(maker.shape.widths, dim=1)
    ]
    return torch.cat(found, dim=1) if len(shares) else torch.zeros(0, len(found), dtype=torch.long)
