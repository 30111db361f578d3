"""The loss of the published diffusion: squared error of the noise, and a variational bound for the labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth_worker.encoding.table_encoder import Encoded, TableEncoder
from synth_worker.generators.multinomial import Cosine, Labels
from synth_worker.generators.segments import drawn_states, log_shares, segments_of, starts_of, surprise
from synth_worker.generators.tabddpm_loss import open_columns
from synth_worker.generators.tabddpm_published_net import PublishedNet


@dataclass(frozen=True, eq=False)
class Space:
    """Hold what diffuses: the columns with labels to draw (``open``, places among the free ones), and their states."""

    open: tuple[int, ...]
    labels: Labels
    numbers: int

    @property
    def states(self) -> int:
        """Return the number of states of all open columns."""
        return len(self.labels.segments)


def space_of(encoder: TableEncoder, device: torch.device) -> Space:
    """Return what diffuses of a table. NOTE[DIFF]: states of number columns (point masses, missing) are labels too."""
    places = open_columns(encoder)
    widths = [encoder.widths[place] for place in places]
    segments = segments_of(widths)
    sizes = torch.tensor(widths, dtype=torch.float32)[segments]
    labels = Labels(starts_of(widths).to(device), segments.to(device), sizes.to(device))
    return Space(tuple(places), labels, len(encoder.numbers))


class PublishedLoss:
    """Compute the loss of rows at times drawn uniformly (Kotelnikov et al. 2023, equation 4)."""

    def __init__(
        self, net: PublishedNet, space: Space, encoded: Encoded, *, schedule: Cosine, device: torch.device
    ) -> None:
        self.net, self.space, self.schedule = net, space, schedule
        self.states = torch.as_tensor(encoded.states, device=device)[:, list(space.open)]
        self.scores = torch.as_tensor(encoded.scores, device=device)

    def __call__(self, rows: Tensor, *, generator: torch.Generator, learning: bool) -> Tensor:
        """Return the loss of each row, shape (rows,)."""
        states, scores, labels = self.states[rows], self.scores[rows], self.space.labels
        step = torch.randint(0, self.schedule.steps, (len(rows), 1), generator=generator, device=generator.device)
        kept = self.schedule.kept[step]
        noise = torch.empty_like(scores).normal_(generator=generator)
        noisy = kept.sqrt() * scores + (1 - kept).sqrt() * noise
        start = labels.one_hot(states)
        now = start
        if self.space.open:
            drawn = drawn_states(
                labels.blurred(start, kept), starts=labels.starts, segments=labels.segments, generator=generator
            )
            now = labels.one_hot(drawn)
        found, logits = self.net(torch.cat([noisy, now.exp()], dim=1), step, generator if learning else None)
        total = torch.zeros(len(rows), device=scores.device)
        if self.space.numbers:
            total = total + ((found - noise) ** 2).mean(dim=1)
        if self.space.open:
            total = total + self._bound(logits, states, now=now, step=step) / len(self.space.open)
        return total

    def _bound(self, logits: Tensor, states: Tensor, *, now: Tensor, step: Tensor) -> Tensor:
        """Return one term of the variational bound, times how many there are; at step 0 the decoder's.

        NOTE[DIFF]: the divergence of the last step from noise, which does not depend on the network, is left out.
        """
        labels = self.space.labels
        guess = log_shares(logits, starts=labels.starts, segments=labels.segments)
        true = labels.before(labels.one_hot(states), now, self.schedule, step)
        own = labels.before(guess, now, self.schedule, step)
        divergence = (true.exp() * (true - own)).sum(dim=1)
        decoder = surprise(logits, states, starts=labels.starts, segments=labels.segments).sum(dim=1)
        return torch.where(step[:, 0] == 0, decoder, divergence) * self.schedule.steps
