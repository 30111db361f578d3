"""Bring the parts of the endpoint diffusion: hidden states and noisy scores, one network for both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import nn

from synth_worker.encoding.table_encoder import Encoded, TableEncoder
from synth_worker.generators.base import Hyperparameters
from synth_worker.generators.learner import RowLoss
from synth_worker.generators.tabddpm_drawing import WALK, Walk, draw
from synth_worker.generators.tabddpm_loss import LESSON, EndpointLoss, Lesson
from synth_worker.generators.tabddpm_net import EndpointNet, Shape
from synth_worker.table import Floats

PRIOR = 0.3
"""Rows that each state is taken to have been seen more often than it was, where the network begins."""


@dataclass(frozen=True)
class Endpoint:
    """Predict what a row was from what is known of it. ``lesson`` and ``walk`` are how it is taught and drawn from."""

    lesson: Lesson = LESSON
    walk: Walk = WALK
    rate: float = 2e-3
    decay: float = 0.01
    average: float = 0.998
    dropout: float = 0.1

    def net(
        self, encoder: TableEncoder, hyperparameters: Hyperparameters, *, generator: torch.Generator
    ) -> EndpointNet:
        """Return an untrained network that predicts the columns' own distributions."""
        shape = Shape(
            encoder.widths,
            encoder.numbers,
            hidden=int(hyperparameters.get("width", 256)),
            layers=int(hyperparameters.get("layers", 2)),
            dropout=self.dropout,
        )
        counts = [np.asarray(one, dtype=np.float64) + PRIOR for one in encoder.counts]
        logits = np.concatenate([np.log(one / one.sum()) for one in counts]).tolist() if counts else []
        return EndpointNet(shape, logits=logits, generator=generator)

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
        return EndpointLoss(cast("EndpointNet", net), encoder, encoded, device=device, lesson=self.lesson)

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
        """Return rows, conditioned on the given values."""
        return draw(cast("EndpointNet", net), encoder, rows, values=values, rng=rng, walk=self.walk)
