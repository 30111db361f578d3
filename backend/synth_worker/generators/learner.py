"""Improve the networks of a method: the protocol the training loop works with, and its form for a single loss."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from synth_worker.generators.captured import Captured
from synth_worker.generators.checkpoint import State

CLIP = 1.0
"""Largest norm of a gradient; a single odd batch does not throw the weights away."""

BETAS = (0.9, 0.99)


class Learner(Protocol):
    """Hold the networks of a method and know how to improve them.

    ``state`` and ``restore`` deal in everything that a step changes, optimisers included; ``drawn_from`` is what a
    sample is drawn with.
    """

    def step(self, rows: Tensor, *, rate: float) -> Tensor:
        """Improve on a batch (positions in the training table) at a learning rate; return the loss, detached."""
        ...

    def loss(self, rows: Tensor, *, generator: torch.Generator) -> Tensor | None:
        """Return the loss of each row, shape (rows,), or None where the method has no such loss."""
        ...

    def drawn_from(self) -> State:
        """Return the parameters and buffers that are drawn from, live and by name."""
        ...

    def state(self) -> State:
        """Return a copy of everything that a step changes."""
        ...

    def restore(self, state: State) -> None:
        """Take back what ``state`` returned."""
        ...


class RowLoss(Protocol):
    """Compute the loss of rows, given by position; ``learning`` tells whether dropout and the like act."""

    def __call__(self, rows: Tensor, *, generator: torch.Generator, learning: bool) -> Tensor:
        """Return the loss of each row, shape (rows,)."""
        ...


class SingleLoss:
    """Minimise the mean of a loss per row by AdamW (Loshchilov and Hutter 2019), its gradient clipped."""

    def __init__(
        self,
        net: nn.Module,
        loss: RowLoss,
        *,
        generator: torch.Generator,
        decay: float = 0.0,
        precision: torch.dtype | None = None,
    ) -> None:
        self.net, self.row_loss, self.generator, self.precision = net, loss, generator, precision
        self.captured = Captured(generator=generator) if generator.device.type == "cuda" else None
        self.optimizer = torch.optim.AdamW(
            net.parameters(),
            lr=1e-3 if self.captured is None else self.captured.rate,
            betas=BETAS,
            weight_decay=decay,
            fused=True,
            capturable=self.captured is not None,
        )

    def step(self, rows: Tensor, *, rate: float) -> Tensor:
        """Take one step; one whose gradient is no number is left out."""
        if self.captured is not None:
            return self.captured(self._accelerated, rows, rate=rate)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss, norm = self._sloped(rows)
        if bool(torch.isfinite(norm)):
            self.optimizer.step()
        return loss

    def _sloped(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Take the loss and its gradient; return it and the gradient's norm."""
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(rows.device.type, dtype=self.precision, enabled=self.precision is not None):
            loss = self.row_loss(rows, generator=self.generator, learning=True).mean()
        loss.backward()
        return loss.detach(), nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)

    def _accelerated(self, rows: Tensor) -> Tensor:
        """Take a step without once asking the GPU for a number: the optimiser itself looks whether to leave it out."""
        loss, norm = self._sloped(rows)
        self.optimizer.found_inf = (~torch.isfinite(norm)).float()  # pyright: ignore[reportAttributeAccessIssue]
        self.optimizer.step()
        return loss

    def loss(self, rows: Tensor, *, generator: torch.Generator) -> Tensor | None:
        """Return the loss of each row."""
        with torch.no_grad():
            return self.row_loss(rows, generator=generator, learning=False)

    def drawn_from(self) -> State:
        """Return the network's parameters and buffers."""
        return dict(self.net.state_dict(keep_vars=True))

    def state(self) -> State:
        """Return copies of the parameters and of the optimiser's moments."""
        return {**copied(self.drawn_from(), "net."), **optimizer_state(self.optimizer, "optimizer.")}

    def restore(self, state: State) -> None:
        """Take both back."""
        write(self.drawn_from(), {name: state[f"net.{name}"] for name in self.drawn_from()})
        restore_optimizer(self.optimizer, state, "optimizer.")
        if self.captured is not None:
            self.captured.forget(self.optimizer)


def copied(state: State, prefix: str = "") -> State:
    """Return copies of tensors, their names prefixed."""
    return {f"{prefix}{name}": value.detach().clone() for name, value in state.items()}


def write(live: State, values: State) -> None:
    """Write values into live tensors of the same names."""
    with torch.no_grad():
        for name, value in live.items():
            value.copy_(values[name])


def optimizer_state(optimizer: torch.optim.Optimizer, prefix: str) -> State:
    """Return copies of an optimiser's moments, named by the parameter's place and the moment."""
    found = optimizer.state_dict()["state"]
    return {f"{prefix}{at}.{name}": value.clone() for at, own in found.items() for name, value in own.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, state: State, prefix: str) -> None:
    """Take back what ``optimizer_state`` returned."""
    whole = optimizer.state_dict()
    own: dict[int, dict[str, Tensor]] = {}
    for name, value in state.items():
        if name.startswith(prefix):
            at, moment = name.removeprefix(prefix).split(".", 1)
            own.setdefault(int(at), {})[moment] = value.clone()
    optimizer.load_state_dict({**whole, "state": own})
