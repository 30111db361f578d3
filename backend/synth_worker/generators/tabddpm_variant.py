"""Say what a variant of the diffusion method brings: a network, its loss, a way to draw from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from torch import nn

from synth_worker.encoding.table_encoder import Encoded, TableEncoder
from synth_worker.generators.base import Hyperparameters
from synth_worker.generators.learner import RowLoss
from synth_worker.table import Floats


class Variant(Protocol):
    """Bring the parts in which one kind of diffusion differs from another; everything else is shared."""

    @property
    def rate(self) -> float:
        """Return the highest learning rate."""
        ...

    @property
    def decay(self) -> float:
        """Return the weight decay."""
        ...

    @property
    def average(self) -> float:
        """Return the decay of the averaged weights, 0 to draw from the last ones."""
        ...

    def net(self, encoder: TableEncoder, hyperparameters: Hyperparameters, *, generator: torch.Generator) -> nn.Module:
        """Return an untrained network."""
        ...

    def loss(
        self,
        net: nn.Module,
        encoder: TableEncoder,
        encoded: Encoded,
        *,
        hyperparameters: Hyperparameters,
        device: torch.device,
    ) -> RowLoss:
        """Return the loss of encoded rows."""
        ...

    def draw(
        self,
        net: nn.Module,
        encoder: TableEncoder,
        rows: int,
        *,
        hyperparameters: Hyperparameters,
        values: Mapping[int, Floats],
        rng: np.random.Generator,
    ) -> Encoded:
        """Return rows; ``values`` are those of given columns (place among the free ones -> shape (rows,))."""
        ...
