"""Draw rows by the published diffusion: every step of the schedule, from noise back to rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from synth_worker.encoding.table_encoder import Encoded, TableEncoder
from synth_worker.generators.multinomial import Cosine
from synth_worker.generators.segments import drawn_states, log_shares
from synth_worker.generators.tabddpm_drawing import given_cells, limits
from synth_worker.generators.tabddpm_published_loss import Space
from synth_worker.generators.tabddpm_published_net import PublishedNet
from synth_worker.generators.weights import rows_at_once, seeded
from synth_worker.table import Floats

REPEATS = 5
"""How often a step is taken where cells are given."""

_Noisy = tuple[Tensor, Tensor]
"""Scores, and states of the open columns, as noisy as a step has them."""


def draw_published(
    net: PublishedNet,
    encoder: TableEncoder,
    rows: int,
    *,
    space: Space,
    schedule: Cosine,
    values: Mapping[int, Floats],
    rng: np.random.Generator,
) -> Encoded:
    """Return ``rows`` encoded rows; ``values`` are those of given columns (place among the free ones -> shape (rows,)).

    NOTE[DIFF]: the paper conditions on one target alone. Here given cells are put in, as noisy as the rest, before each
    step, and each step is taken back and repeated so that the other cells follow (Lugmayr et al. 2022, RePaint,
    sections 4.1 and 4.2): about right, where the other variant is exact under its model.
    """
    device = next(net.parameters()).device
    generator = seeded(rng, device)
    start = given_cells(encoder, values, rows=rows, rng=rng)
    states = torch.as_tensor(start.states, device=device)
    scores = torch.as_tensor(start.scores, device=device)
    for place in set(range(len(encoder.free))) - set(space.open) - set(values):
        states[:, place] = int(np.argmax(encoder.counts[place]))
    steps = _Steps(net, encoder, space, schedule, fixed=set(values), generator=generator)
    chunk = rows_at_once(device)
    with torch.no_grad():
        for at in range(0, rows, chunk):
            steps.through(states[at : at + chunk], scores[at : at + chunk])
    return Encoded(states.cpu().numpy(), scores.cpu().numpy())


class _Steps:
    """Take the steps of the schedule backwards, for one chunk of rows after the other."""

    def __init__(
        self,
        net: PublishedNet,
        encoder: TableEncoder,
        space: Space,
        schedule: Cosine,
        *,
        fixed: set[int],
        generator: torch.Generator,
    ) -> None:
        device = generator.device
        self.net, self.space, self.schedule, self.generator = net, space, schedule, generator
        self.bound = limits(encoder, device)
        counts = np.concatenate([encoder.counts[place] for place in space.open]) if space.open else np.zeros(0)
        self.impossible = torch.as_tensor(counts == 0, device=device)
        self.fixed_labels = torch.tensor([place in fixed for place in space.open], dtype=torch.bool, device=device)
        self.fixed_scores = torch.tensor([place in fixed for place in encoder.numbers], dtype=torch.bool, device=device)
        self.places = torch.tensor(encoder.numbers, dtype=torch.long, device=device)

    def through(self, states: Tensor, scores: Tensor) -> None:
        """Draw in place; given cells are left as they are."""
        rows = len(states)
        own = states[:, list(self.space.open)]
        given, known = own.clone(), scores.clone()
        values = self._noise(scores)
        if self.space.open:
            own = self._picked(torch.zeros(rows, self.space.states, device=states.device))
        noisy: _Noisy = (values, own)
        repeats = REPEATS if bool(self.fixed_labels.any() or self.fixed_scores.any()) else 1
        for at in reversed(range(self.schedule.steps)):
            for repeat in range(repeats):
                noisy = self._earlier(self._with_given(noisy, known=known, given=given, at=at), at)
                if at and repeat + 1 < repeats:
                    noisy = self._later(noisy, at)
        values, own = noisy
        states[:, list(self.space.open)] = torch.where(self.fixed_labels, given, own)
        body = states[:, self.places] == 0
        scores.copy_(torch.where(self.fixed_scores, known, torch.where(body, values, 0.0)))

    def _with_given(self, noisy: _Noisy, *, known: Tensor, given: Tensor, at: int) -> _Noisy:
        """Put the given cells in, as noisy as the others are at a step."""
        values, own = noisy
        kept = self.schedule.kept[at]
        if bool(self.fixed_scores.any()):
            spoilt = kept.sqrt() * known + (1 - kept).sqrt() * self._noise(known)
            values = torch.where(self.fixed_scores, spoilt, values)
        if bool(self.fixed_labels.any()):
            labels = self.space.labels
            own = torch.where(self.fixed_labels, self._picked(labels.blurred(labels.one_hot(given), kept)), own)
        return values, own

    def _earlier(self, noisy: _Noisy, at: int) -> _Noisy:
        """Draw all cells one step earlier."""
        values, own = noisy
        labels = self.space.labels
        step = torch.full((len(values), 1), at, device=values.device)
        now = labels.one_hot(own)
        noise, logits = self.net(torch.cat([values, now.exp()], dim=1), step)
        values = self._numbers_before(values, noise, at)
        if self.space.open:
            guess = log_shares(
                logits.masked_fill(self.impossible, -torch.inf), starts=labels.starts, segments=labels.segments
            )
            own = self._picked(labels.before(guess, now, self.schedule, step))
        return values, own

    def _later(self, noisy: _Noisy, at: int) -> _Noisy:
        """Add the noise of one step."""
        values, own = noisy
        alpha, labels = self.schedule.alphas[at], self.space.labels
        values = alpha.sqrt() * values + (1 - alpha).sqrt() * self._noise(values)
        return values, self._picked(labels.blurred(labels.one_hot(own), alpha)) if self.space.open else own

    def _numbers_before(self, values: Tensor, noise: Tensor, at: int) -> Tensor:
        """Draw the numbers one step earlier (Ho et al. 2020, equation 7).

        NOTE[DIFF]: the guess of the start is held within what was seen; without that, mass piles up at both ends.
        """
        kept, before, alpha = (
            float(one[at]) for one in (self.schedule.kept, self.schedule.before, self.schedule.alphas)
        )
        start = (values - (1 - kept) ** 0.5 * noise) / kept**0.5
        start = torch.clamp(start, -self.bound, self.bound)
        mean = before**0.5 * (1 - alpha) / (1 - kept) * start + alpha**0.5 * (1 - before) / (1 - kept) * values
        return mean + ((1 - alpha) * (1 - before) / (1 - kept)) ** 0.5 * self._noise(values)

    def _noise(self, like: Tensor) -> Tensor:
        return torch.empty_like(like).normal_(generator=self.generator)

    def _picked(self, logits: Tensor) -> Tensor:
        labels = self.space.labels
        return drawn_states(logits, starts=labels.starts, segments=labels.segments, generator=self.generator)
