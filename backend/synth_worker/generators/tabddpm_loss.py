"""The loss of the endpoint diffusion: what rows were, of which part is hidden and part is noisy."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth_worker.encoding.table_encoder import Encoded, TableEncoder
from synth_worker.generators.diffusion import drawn_levels, scaling
from synth_worker.generators.tabddpm_net import EndpointNet, Seen

CLEAN = 0.25
"""Share of the rows in which some scores are known, so that a sample can be conditioned on them."""


@dataclass(frozen=True)
class Lesson:
    """Say how situations are drawn.

    ``noisy`` is the share of rows whose states are known and whose scores are noisy; their levels are log-normal with
    ``mean`` and ``deviation`` of the logarithm. ``ordered`` is the share of the others whose known states are the first
    in drawing order; of the rest any are known.
    """

    mean: float = -0.3
    deviation: float = 1.5
    noisy: float = 0.5
    ordered: float = 0.0


LESSON = Lesson()


def open_columns(encoder: TableEncoder) -> list[int]:
    """Return the columns (places among the free ones) that have more than one state: only these can be hidden."""
    return [place for place, counts in enumerate(encoder.counts) if (counts > 0).sum() > 1]


def drawing_order(encoder: TableEncoder) -> list[int]:
    """Return the open columns, few states first, those of numbers last."""
    numbers = set(encoder.numbers)
    return sorted(open_columns(encoder), key=lambda place: (place in numbers, encoder.widths[place], place))


class EndpointLoss:
    """Compute the loss of rows: cross-entropy of hidden states, or the squared error of noisy scores.

    States are hidden as in masked diffusion (Shi et al. 2024, Simplified and Generalized Masked Diffusion, section 3):
    a uniform share of them, each with equal weight. NOTE[DIFF]: scores are noisy only where all states are known.
    """

    def __init__(
        self,
        net: EndpointNet,
        encoder: TableEncoder,
        encoded: Encoded,
        *,
        device: torch.device,
        lesson: Lesson = LESSON,
    ) -> None:
        self.net, self.lesson = net, lesson
        self.states = torch.as_tensor(encoded.states, device=device)
        self.scores = torch.as_tensor(encoded.scores, device=device)
        self.open = torch.zeros(len(encoder.free), device=device)
        order = drawing_order(encoder)
        self.open[order] = 1.0
        self.ranks = torch.zeros(len(encoder.free), device=device)
        self.ranks[order] = torch.arange(len(order), dtype=torch.float32, device=device)
        body = [place for place in encoder.numbers if encoder.counts[place][0] > 0]
        self.share = lesson.noisy if body and bool(self.open.any()) else float(bool(body))

    def __call__(self, rows: Tensor, *, generator: torch.Generator, learning: bool) -> Tensor:
        """Return the loss of each row, shape (rows,)."""
        states, scores = self.states[rows], self.scores[rows]
        device, count = generator.device, len(rows)
        noisy_row = (torch.rand(count, 1, generator=generator, device=device) < self.share).float()
        told = torch.maximum(self._told(count, generator), noisy_row)
        body = (states[:, self.net.places] == 0).float() * told[:, self.net.places]
        some = (torch.rand(count, 1, generator=generator, device=device) < CLEAN).float()
        chance = torch.rand(count, 1, generator=generator, device=device) * some
        clean = (torch.rand(scores.shape, generator=generator, device=device) < chance).float() * body
        noisy = (1 - clean) * body * noisy_row
        level = drawn_levels(count, mean=self.lesson.mean, deviation=self.lesson.deviation, generator=generator)
        level = level * noisy_row
        scaled = scaling(level)
        noise = torch.empty_like(scores).normal_(generator=generator)
        spoilt = scores + level * noise
        seen = Seen(states, told, clean * scores + noisy * scaled.inside * spoilt, clean, noisy, level)
        hidden = self.net.hidden(seen, generator if learning else None)
        unknown = self.open * (1 - told)
        surprise = (self.net.surprise(hidden, states) * unknown).sum(dim=1) / unknown.sum(dim=1).clamp_min(1.0)
        target = (scores - scaled.skip * spoilt) / scaled.out.clamp_min(1e-6)
        wrong = ((self.net.scores(hidden) - target) ** 2 * noisy).sum(dim=1) / noisy.sum(dim=1).clamp_min(1.0)
        return surprise + wrong

    def _told(self, rows: int, generator: torch.Generator) -> Tensor:
        """Draw which states are known: as many of the open columns as a uniform draw says; the others always are."""
        device, columns = generator.device, len(self.open)
        several = max(1, int(self.open.sum()))
        count = torch.randint(0, several, (rows, 1), generator=generator, device=device)
        noise = torch.rand(rows, columns, generator=generator, device=device) + 2 * (1 - self.open)
        ranks = noise.argsort(dim=1).argsort(dim=1)
        ordered = torch.rand(rows, 1, generator=generator, device=device) < self.lesson.ordered
        ranks = torch.where(ordered, self.ranks, ranks)
        return torch.maximum((ranks < count).float(), 1 - self.open)
