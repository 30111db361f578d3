"""Bring the parts of the published diffusion (Kotelnikov et al. 2023, TabDDPM).

Gaussian diffusion of quantile-normal numbers, multinomial diffusion of labels, cosine betas, every step taken back.
NOTE[DIFF]: point masses, missing values and columns that follow from others are encoded as everywhere here; there is no
target column, all columns diffuse; the training loop, its batch sizes and its early end are those of all methods.
"""

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
from synth_worker.generators.multinomial import cosine
from synth_worker.generators.tabddpm_published_drawing import draw_published
from synth_worker.generators.tabddpm_published_loss import PublishedLoss, space_of
from synth_worker.generators.tabddpm_published_net import PublishedNet
from synth_worker.table import Floats

TIMESTEPS = 1000


@dataclass(frozen=True)
class Published:
    """Predict the noise of numbers and the labels there were, and draw from the last weights."""

    rate: float = 2e-3
    decay: float = 1e-4
    average: float = 0.0
    dropout: float = 0.0

    def net(
        self, encoder: TableEncoder, hyperparameters: Hyperparameters, *, generator: torch.Generator
    ) -> PublishedNet:
        """Return an untrained network."""
        space = space_of(encoder, torch.device("cpu"))
        return PublishedNet(
            numbers=space.numbers,
            states=space.states,
            hidden=int(hyperparameters.get("width", 256)),
            layers=int(hyperparameters.get("layers", 2)),
            dropout=self.dropout,
            generator=generator,
        )

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
        schedule = cosine(int(hyperparameters.get("timesteps", TIMESTEPS)), device=device)
        return PublishedLoss(
            cast("PublishedNet", net), space_of(encoder, device), encoded, schedule=schedule, device=device
        )

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
        device = next(net.parameters()).device
        return draw_published(
            cast("PublishedNet", net),
            encoder,
            rows,
            space=space_of(encoder, device),
            schedule=cosine(int(hyperparameters.get("timesteps", TIMESTEPS)), device=device),
            values=values,
            rng=rng,
        )
