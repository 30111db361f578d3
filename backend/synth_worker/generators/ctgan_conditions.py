"""Draw conditions for a conditional generative adversarial network, and real rows that meet them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from synth_worker.generators.column_logits import Segments
from synth_worker.table import Ints


def one_of_each(weights: Tensor, *, generator: torch.Generator) -> Tensor:
    """Draw a place in each row, as probable as its weight says, shape (rows,): the first of racing exponentials.

    As ``torch.multinomial`` does, which however asks a GPU whether the weights are sound.

    >>> one_of_each(torch.tensor([[0.0, 2.0], [1.0, 0.0]]), generator=torch.Generator())
    tensor([1, 0])
    """
    return (weights / torch.empty_like(weights).exponential_(generator=generator)).argmax(dim=1)


class Conditions:
    """Draw a column, and a state of it: in training by the logarithm of how often it occurs, later as often as it does.

    After Xu et al. 2019, section 4.3 (training by sampling). NOTE[DIFF]: number columns take part with their point
    masses, missing values and *body*. A column with one state only says nothing and is left out.
    """

    def __init__(self, segments: Segments, counts: Sequence[Ints], *, device: torch.device) -> None:
        self.segments = segments
        usable = [place for place, own in enumerate(counts) if (own > 0).sum() > 1]
        self.usable = torch.tensor(usable, dtype=torch.long, device=device)
        widest = max(segments.widths, default=1)
        self.real = torch.zeros(len(counts), widest, device=device)
        for place, own in enumerate(counts):
            self.real[place, : len(own)] = torch.as_tensor(own, device=device)
        self.even = (self.real + 1).log()

    def draw(self, rows: int, *, even: bool, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return columns and states, shape (rows,) each; both are -1 where no column can be a condition."""
        device = self.real.device
        if not len(self.usable):
            none = torch.full((rows,), -1, device=device)
            return none, none
        columns = self.usable[torch.randint(len(self.usable), (rows,), generator=generator, device=device)]
        weights = (self.even if even else self.real)[columns]
        return columns, one_of_each(weights, generator=generator)

    def share(self, column: int, state: int) -> float:
        """Return how often a state occurs among the rows."""
        return float(self.real[column, state] / self.real[column].sum().clamp_min(1.0))

    def vector(self, columns: Tensor, states: Tensor) -> Tensor:
        """Return conditions as the networks see them: a one at the state, shape (rows, all states)."""
        found = torch.zeros(len(columns), sum(self.segments.widths), device=self.real.device)
        at = self.segments.starts[columns.clamp_min(0)] + states.clamp_min(0)
        return found.scatter_(1, at[:, None], (columns >= 0).float()[:, None])


class Matching:
    """Find real rows that meet conditions."""

    def __init__(self, states: Tensor, segments: Segments) -> None:
        self.rows = len(states)
        # Rows sorted by each column's state: those of one state are neighbours.
        self.order = states.argsort(dim=0, stable=True).T.contiguous()
        self.counts = segments.counts(states)
        ends = self.counts.cumsum(0)
        before = torch.arange(len(segments.widths), device=states.device) * self.rows
        self.first = ends - self.counts - before[segments.column]
        self.starts = segments.starts

    def rows_for(self, columns: Tensor, states: Tensor, *, generator: torch.Generator) -> Tensor:
        """Return a row for each condition, any of those that meet it, shape (rows,)."""
        share = torch.rand(len(columns), generator=generator, device=columns.device)
        at = self.starts[columns.clamp_min(0)] + states.clamp_min(0)
        inside = self.first[at] + (share * self.counts[at]).long().clamp_max(self.counts[at] - 1)
        found = self.order[columns.clamp_min(0), inside.clamp_min(0)]
        return torch.where(columns >= 0, found, (share * self.rows).long().clamp_max(self.rows - 1))
