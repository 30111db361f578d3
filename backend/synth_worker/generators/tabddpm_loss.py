"""The loss of the endpoint diffusion: what rows were, of which part is hidden and part is noisy."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth_worker.encoding.numbers import BODY
from synth_worker.encoding.table_encoder import Encoded, TableEncoder
from synth_worker.generators.diffusion import PACE, Pace, scaling
from synth_worker.generators.tabddpm_net import EndpointNet, Seen


@dataclass(frozen=True)
class Lesson:
    """Say how rows are spoilt.

    ``given`` is the share of the rows of which some cells are known whatever the time, so that a sample can be
    conditioned on them; ``weight`` is that of the scores' error beside the states'.
    """

    pace: Pace = PACE
    given: float = 0.25
    weight: float = 1.0


LESSON = Lesson()


def open_columns(encoder: TableEncoder) -> list[int]:
    """Return the columns (places among the free ones) that have more than one state: only these can be hidden."""
    return [place for place, counts in enumerate(encoder.counts) if (counts > 0).sum() > 1]


class EndpointLoss:
    """Compute the loss of rows at uniform times: cross-entropy of hidden states and squared error of noisy scores.

    As in TabDiff (Shi et al. 2025, section 3): at time t each state is hidden with probability t, and each score has
    the noise of that time. The error is that of the network's free part, which weighs all levels alike (Karras et al.
    2022, section 5). A score whose state is hidden is noisy whether it is there or not: where it is not it is 0, and
    there is no loss once that is known.
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
        self.open[open_columns(encoder)] = 1.0

    def __call__(self, rows: Tensor, *, generator: torch.Generator, learning: bool) -> Tensor:
        """Return the loss of each row, shape (rows,)."""
        states, scores = self.states[rows], self.scores[rows]

        def uniform(columns: int) -> Tensor:
            return torch.rand(len(rows), columns, generator=generator, device=generator.device)

        time = uniform(1)
        level = self.lesson.pace.level(time)
        given = (uniform(states.shape[1]) < uniform(1) * (uniform(1) < self.lesson.given)).float()
        hidden = (uniform(states.shape[1]) < time) * self.open * (1 - given)
        told = 1 - hidden
        absent = (states != BODY)[:, self.net.places] * told[:, self.net.places]
        clean = given[:, self.net.places] * (1 - absent)
        noisy = (1 - absent) * (1 - clean)
        scaled = scaling(level)
        spoilt = scores + level * torch.empty_like(scores).normal_(generator=generator)
        shown = clean * scores + noisy * scaled.inside * spoilt
        inner = self.net.hidden(Seen(states, told, shown, clean, noisy, level), generator if learning else None)
        surprise = (self.net.surprise(inner, states) * hidden).sum(dim=1) / hidden.sum(dim=1).clamp_min(1.0)
        target = (scores - scaled.skip * spoilt) / scaled.out
        error = ((self.net.scores(inner).float() - target) ** 2 * noisy).sum(dim=1) / noisy.sum(dim=1).clamp_min(1.0)
        return surprise + self.lesson.weight * error
