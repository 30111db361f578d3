"""Train the two networks of ``ctgan`` against each other: a Wasserstein game with a gradient penalty."""

from __future__ import annotations

import torch
from torch import Tensor

from synth_worker.generators.captured import Captured
from synth_worker.generators.checkpoint import State
from synth_worker.generators.ctgan_conditions import Conditions, Matching
from synth_worker.generators.ctgan_net import NOISE, Critic, Maker
from synth_worker.generators.learner import copied, optimizer_state, restore_optimizer, write

BETAS = (0.5, 0.9)
PENALTY = 10.0


class Game:
    """Improve the critic, then the maker, once each in a step (Gulrajani et al. 2017, algorithm 1).

    NOTE[DIFF]: weights do not decay. Those of states that never occur would shrink to subnormal numbers, which make
    every step three times as slow.
    """

    def __init__(
        self,
        maker: Maker,
        critic: Critic,
        *,
        states: Tensor,
        scores: Tensor,
        conditions: Conditions,
        generator: torch.Generator,
    ) -> None:
        self.maker, self.critic, self.conditions, self.generator = maker, critic, conditions, generator
        self.states, self.scores = states, scores
        self.matching = Matching(states, maker.segments)
        self.captured = Captured(generator=generator) if generator.device.type == "cuda" else None
        rate = 2e-4 if self.captured is None else self.captured.rate
        self.optimizers = [
            torch.optim.Adam(net.parameters(), lr=rate, betas=BETAS, fused=True, capturable=self.captured is not None)
            for net in (maker, critic)
        ]

    def step(self, rows: Tensor, *, rate: float) -> Tensor:
        """Improve both; return the critic's loss. Only the number of ``rows`` counts: conditions choose the rows."""
        if self.captured is not None:
            return self.captured(self._played, rows, rate=rate)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        return self._played(rows)

    def _played(self, rows: Tensor) -> Tensor:
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        self.maker.train()
        size = len(rows)
        columns, wanted = self.conditions.draw(size, even=True, generator=self.generator)
        vector = self.conditions.vector(columns, wanted)
        noise = torch.empty(size, NOISE, device=vector.device).normal_(generator=self.generator)
        logits, scores = self.maker(noise, vector)
        made = torch.cat([self.maker.soft(logits, scores, generator=self.generator), vector], dim=1)
        loss = self._criticise(made.detach(), self._real(columns, wanted, vector))
        # The maker's step plays against the critic just improved, with the rows that it was improved on.
        # NOTE[DIFF]: the reference makes new ones; using these saves a third of the time.
        self.critic.requires_grad_(requires_grad=False)
        try:
            missed = -self.critic(made).mean()
            if len(self.conditions.usable):
                missed = missed + self.maker.segments.losses_at(logits, columns, wanted).mean()
            missed.backward()
        finally:
            self.critic.requires_grad_(requires_grad=True)
        self.optimizers[0].step()
        return loss

    def _real(self, columns: Tensor, wanted: Tensor, vector: Tensor) -> Tensor:
        rows = self.matching.rows_for(columns, wanted, generator=self.generator)
        return torch.cat([self.maker.segments.one_hot(self.states[rows]), self.scores[rows], vector], dim=1)

    def _criticise(self, made: Tensor, real: Tensor) -> Tensor:
        share = torch.rand(len(made), 1, generator=self.generator, device=made.device)
        between = share * real + (1 - share) * made
        between.requires_grad = True
        sloped = self.critic(between).sum()
        slope = torch.autograd.grad(sloped, between, create_graph=True)[0].norm(dim=1)
        said = self.critic(torch.cat([made, real]))
        loss = said[: len(made)].mean() - said[len(made) :].mean() + PENALTY * ((slope - 1) ** 2).mean()
        loss.backward()
        self.optimizers[1].step()
        return loss.detach()

    def loss(self, rows: Tensor, *, generator: torch.Generator) -> Tensor | None:
        """Return None: how far a row is from what the maker makes is not known."""
        return None

    def drawn_from(self) -> State:
        """Return the maker's parameters and buffers."""
        return dict(self.maker.state_dict(keep_vars=True))

    def state(self) -> State:
        """Return copies of both networks and of the optimisers' moments."""
        found = {**copied(self.drawn_from(), "maker."), **copied(self._critic(), "critic.")}
        for at, optimizer in enumerate(self.optimizers):
            found |= optimizer_state(optimizer, f"optimizer{at}.")
        return found

    def restore(self, state: State) -> None:
        """Take them back."""
        for part, live in (("maker", self.drawn_from()), ("critic", self._critic())):
            write(live, {name: state[f"{part}.{name}"] for name in live})
        for at, optimizer in enumerate(self.optimizers):
            restore_optimizer(optimizer, state, f"optimizer{at}.")
        if self.captured is not None:
            self.captured.forget(*self.optimizers)

    def _critic(self) -> State:
        return dict(self.critic.state_dict(keep_vars=True))
