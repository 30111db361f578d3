"""Draw rows from the autoencoder: codes from their distribution, rows from codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from synth_worker.encoding.table_encoder import Encoded, TableEncoder
from synth_worker.generators.assembly import assemble
from synth_worker.generators.column_logits import calibrated
from synth_worker.generators.resampling import Wanted, candidates_for, combinations, pick
from synth_worker.generators.tvae_net import CODE, TvaeNet
from synth_worker.generators.weights import rows_at_once, seeded
from synth_worker.table import Table

MOST_ENCODED = 20_000
"""Training rows that suffice to tell the distribution of codes."""

LEAST_LIKELY = 20.0
"""A state that never occurred is taken to be this much less likely, in logarithms, where it is given nevertheless."""

CALIBRATED_ON = 4_000
"""Drawn codes by which the shares of states are mended."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Hold encoded rows on the device of the networks: states, shape (rows, columns), and scores, (rows, numbers)."""

    states: Tensor
    scores: Tensor

    @classmethod
    def of(cls, encoded: Encoded, device: torch.device) -> Rows:
        """Bring encoded rows onto a device."""
        return cls(torch.as_tensor(encoded.states, device=device), torch.as_tensor(encoded.scores, device=device))


@dataclass(frozen=True, eq=False)
class Codes:
    """Hold the distribution of codes: its mean, shape (CODE,), and a root of its covariance, (CODE, CODE)."""

    centre: Tensor
    root: Tensor


@dataclass(frozen=True, eq=False)
class TvaeModel:
    """Hold the encoder of tables, the networks, and the distribution of codes.

    ``added`` is what logits of states are moved by, shape (all states,), minus infinity for one that never occurred.
    """

    encoder: TableEncoder
    net: TvaeNet
    codes: Codes
    added: Tensor


def complete(encoder: TableEncoder, net: TvaeNet, rows: Rows, *, generator: torch.Generator) -> TvaeModel:
    """Return the model of trained networks: the normal distribution nearest to that of the codes of training rows.

    With few rows it is drawn toward the standard normal one, as if CODE more rows had that.
    """
    device = rows.states.device
    with torch.no_grad():
        means, log_variances = net.encode(rows.states, rows.scores)
        means, variances = means.double(), log_variances.double().exp()
        centre = means.mean(dim=0)
        away = means - centre
        prior = CODE * torch.eye(CODE, dtype=torch.double, device=device)
        scatter = away.T @ away + torch.diag(variances.sum(dim=0)) + prior
        codes = Codes(centre.float(), torch.linalg.cholesky(scatter / (len(means) + CODE)).float())
        logits = net.decode(_draw_codes(codes, CALIBRATED_ON, generator))[0]
        return TvaeModel(encoder, net, codes, calibrated(net.segments, logits, encoder.counts))


def draw(model: TvaeModel, rows: int, *, rng: np.random.Generator, fixed: Mapping[str, float]) -> Table:
    """Draw a table; ``fixed`` are given values by column (codes for labels)."""
    encoder = model.encoder
    generator = seeded(rng, model.codes.centre.device)
    values = encoder.fixed(fixed, rows=rows, rng=rng)
    if values and rows:
        codes = _draw_codes(model.codes, candidates_for(rows), generator)
        likelihood = _Likelihood(model, codes)
        chosen = torch.zeros(rows, dtype=torch.long, device=codes.device)
        for wanted, places in combinations(encoder, values, rng=rng):
            own = pick(likelihood(wanted), len(places), generator=generator)
            chosen[torch.as_tensor(places, device=codes.device)] = own
        codes = codes[chosen]
    else:
        codes = _draw_codes(model.codes, rows, generator)
    columns = encoder.decode(_read(model, codes, generator), rng=rng)
    for place, given in values.items():
        columns[encoder.free[place]] = given
    for name, value in fixed.items():
        columns[encoder.schema.names.index(name)] = np.full(rows, value)
    return assemble(encoder.schema, columns)


def _draw_codes(codes: Codes, rows: int, generator: torch.Generator) -> Tensor:
    noise = torch.empty(rows, CODE, device=generator.device).normal_(generator=generator)
    return codes.centre + noise @ codes.root.T


def _read(model: TvaeModel, codes: Tensor, generator: torch.Generator) -> Encoded:
    """Draw a row from each code."""
    encoder, rows = model.encoder, len(codes)
    states = torch.zeros(rows, len(encoder.widths), dtype=torch.long, device=codes.device)
    scores = torch.zeros(rows, len(encoder.numbers), device=codes.device)
    chunk = rows_at_once(codes.device)
    with torch.no_grad():
        for at in range(0, rows, chunk):
            part = slice(at, at + chunk)
            logits, centres, spreads = model.net.decode(codes[part])
            for column, own in enumerate((logits + model.added).split(encoder.widths, dim=1)):
                states[part, column] = torch.multinomial(own.softmax(dim=1), 1, generator=generator)[:, 0]
            noise = torch.empty_like(centres).normal_(generator=generator)
            scores[part] = centres + spreads * noise
    return Encoded(states.cpu().numpy(), scores.cpu().numpy())


class _Likelihood:
    """Say how probable each code makes given cells."""

    def __init__(self, model: TvaeModel, codes: Tensor) -> None:
        with torch.no_grad():
            logits, self.centres, self.spreads = model.net.decode(codes)
            self.shares = model.net.segments.log_shares(logits + model.added.clamp_min(-LEAST_LIKELY))
        self.starts = model.net.segments.starts

    def __call__(self, wanted: Wanted) -> Tensor:
        """Return the log-likelihood of the given cells under each code, up to a constant, shape (codes,)."""
        total = torch.zeros(len(self.shares), device=self.shares.device)
        for place, state in wanted.states.items():
            total += self.shares[:, int(self.starts[place]) + state]
        for number, score in wanted.scores.items():
            total += -0.5 * ((score - self.centres[:, number]) / self.spreads[number]) ** 2
        return total
