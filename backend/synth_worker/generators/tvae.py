"""Draw tables from codes: a variational autoencoder (TVAE, Xu et al. 2019, section 4.5).

NOTE[DIFF]: numbers are normal scores, point masses and missing values states of their own, instead of a scalar within
one of ten modes: a score has one mode, and its marginal comes back exactly. (Ten pieces of equal shares as modes gave a
boosted-tree C2ST of .78 instead of .70 on flchain, five made no difference on Adult.)
NOTE[DIFF]: states are drawn from their probabilities and scores with their spread, where the reference takes the best.
NOTE[DIFF]: codes are drawn from a normal distribution of the mean and the covariance that the codes of training rows
have, where the paper's are standard normal: theirs are not, and the table under-disperses.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from synth_worker.encoding.storing_table import encoder_arrays, restore_encoder
from synth_worker.encoding.table_encoder import TableEncoder, fit_encoder
from synth_worker.errors import BadModel, NotFitted
from synth_worker.generators.assembly import check_train
from synth_worker.generators.base import Hyperparameters, Value, Watch, unwatched
from synth_worker.generators.checkpoint import fingerprint_of
from synth_worker.generators.column_logits import first_logits, restore_added
from synth_worker.generators.conditions import resolve
from synth_worker.generators.learner import SingleLoss
from synth_worker.generators.persistence import Stored, load_model, save_model
from synth_worker.generators.steps import batch_of, pace, steps_of
from synth_worker.generators.training import Look, Schedule, Setting, hold_out, train
from synth_worker.generators.tvae_drawing import MOST_ENCODED, Codes, Rows, TvaeModel, complete, draw
from synth_worker.generators.tvae_net import CODE, Shape, TvaeNet
from synth_worker.generators.weights import (
    device_of,
    device_to_read,
    repeatable,
    restore_weights,
    seeded,
    weight_arrays,
)
from synth_worker.table import Floats, Table

METHOD = "tvae"
RATE = 5e-3
"""NOTE[DIFF]: five times the reference's, and lowered along the schedule: a third of the steps then learns as much."""

DECAY = 1e-5
NOISES = 16
"""Draws of a code over which the loss of a row is averaged."""


class Tvae:
    """Fit an autoencoder whose codes are nearly normal, and draw rows from new codes."""

    def __init__(self, hyperparameters: Hyperparameters) -> None:
        self.hyperparameters = dict(hyperparameters)
        self.looks: tuple[Look, ...] = ()
        self._model: TvaeModel | None = None

    def fit(
        self,
        train: Table,
        *,
        rng: np.random.Generator,
        watch: Watch = unwatched,
        threads: int = 1,
        keep: Path | None = None,
    ) -> Self:
        """Learn to write a row as a code and to read it back.

        Raises BadInput for columns that cannot be modelled or fewer than two rows, Cancelled at a stop before training
        began, TrainingFailed where it diverges again and again.
        """
        check_train(train)
        with repeatable():
            self._model = self._trained(train, rng=rng, watch=watch, keep=keep)
        return self

    def _trained(self, table: Table, *, rng: np.random.Generator, watch: Watch, keep: Path | None) -> TvaeModel:
        device = device_of(str(self.hyperparameters.get("device", "auto")))
        fingerprint = fingerprint_of(table, hyperparameters=self.hyperparameters, rng=rng)
        encoder = fit_encoder(table)
        own, held = hold_out(table.rows, rng)
        encoded = encoder.encode(table, rng=rng)
        generator = seeded(rng, device)
        net = self._net(encoder, generator).to(device)
        rows = Rows.of(encoded, device)
        learner = SingleLoss(net, RowLoss(net, rows), generator=generator, decay=DECAY)
        spaced = np.linspace(0, len(own) - 1, min(len(own), MOST_ENCODED)).astype(np.int64)
        learnt = Rows.of(encoded.take(own[spaced]), device)
        glimpses, last = rng.spawn(2)

        def glimpse(rows: int) -> Table:
            stream = np.random.default_rng(glimpses.integers(2**62))
            model = complete(encoder, net, learnt, generator=seeded(stream, device))
            return draw(model, rows, rng=stream, fixed={})

        schedule = Schedule(
            steps=steps_of(int(self.hyperparameters.get("n_iter", 300)), table.rows),
            batch=batch_of(int(self.hyperparameters.get("batch_size", 256)), len(own)),
            rate=RATE * pace(self.hyperparameters),
        )
        found = train(
            learner, Setting(own, held, generator, watch, glimpse, keep, fingerprint, glimpses), schedule=schedule
        )
        self.looks, self.ended = found.looks, found.ended
        return complete(encoder, net, learnt, generator=seeded(last, device))

    def _net(self, encoder: TableEncoder, generator: torch.Generator) -> TvaeNet:
        shape = Shape(encoder.widths, encoder.numbers, hidden=int(self.hyperparameters.get("width", 128)))
        return TvaeNet(shape, logits=first_logits(encoder.counts), generator=generator)

    def sample(self, rows: int, *, rng: np.random.Generator, given: Mapping[str, Value] | None = None) -> Table:
        """Draw rows; codes are weighed by how probable they make what is ``given``."""
        if self._model is None:
            raise NotFitted("the autoencoder has learnt no table yet", hint="call fit or load first")
        with repeatable():
            return draw(self._model, rows, rng=rng, fixed=resolve(given, self._model.encoder.schema))

    def row_loss(self, table: Table, *, rng: np.random.Generator) -> Floats | None:
        """Return minus the evidence lower bound of each row as it was trained, a mean over sixteen codes, (rows,)."""
        if self._model is None:
            raise NotFitted("the autoencoder has learnt no table yet", hint="call fit or load first")
        net = self._model.net
        device = next(net.parameters()).device
        loss = RowLoss(net, Rows.of(self._model.encoder.encode(table, rng=rng), device))
        generator = seeded(rng, device)
        rows = torch.arange(table.rows, device=device)
        total = torch.zeros(table.rows, device=device)
        with torch.no_grad(), repeatable():
            for _ in range(NOISES):
                total += loss(rows, generator=generator, learning=False)
        return (total / NOISES).cpu().numpy().astype(np.float64)

    def save(self, folder: Path) -> None:
        """Write the model into an existing folder."""
        if self._model is None:
            raise NotFitted("the autoencoder has learnt no table yet", hint="call fit first")
        model = self._model
        sources, arrays = encoder_arrays(model.encoder)
        arrays |= weight_arrays(model.net)
        own = {"codes.centre": model.codes.centre, "codes.root": model.codes.root, "added": model.added}
        arrays |= {name: value.cpu().numpy() for name, value in own.items()}
        state = {"hyperparameters": self.hyperparameters, "sources": sources}
        save_model(folder, method=METHOD, schema=model.encoder.schema, state=state, arrays=arrays)

    @classmethod
    def load(cls, folder: Path) -> Tvae:
        """Read a model back. Raises BadModel on damage."""
        stored = load_model(folder, method=METHOD)
        made = cls(stored.hyperparameters())
        encoder = restore_encoder(stored.schema, stored.items("sources"), stored.arrays)
        device = device_to_read(str(made.hyperparameters.get("device", "auto")))
        net = made._net(encoder, torch.Generator())
        restore_weights(net, stored.arrays)
        made._model = TvaeModel(
            encoder, net.to(device), _codes(stored, device), restore_added(stored, encoder.counts).to(device)
        )
        return made


class RowLoss:
    """Compute the loss of rows: minus their evidence lower bound."""

    def __init__(self, net: TvaeNet, rows: Rows) -> None:
        self.net, self.rows = net, rows

    def __call__(self, rows: Tensor, *, generator: torch.Generator, learning: bool) -> Tensor:
        """Return the loss of each row at one drawn code, shape (rows,)."""
        noise = torch.empty(len(rows), CODE, device=rows.device).normal_(generator=generator)
        return self.net.losses(self.rows.states[rows], self.rows.scores[rows], noise)


def _codes(stored: Stored, device: torch.device) -> Codes:
    centre = stored.array("codes.centre", dtype=np.float32, shape=(CODE,)).astype(np.float32)
    root = stored.array("codes.root", dtype=np.float32, shape=(CODE, CODE)).astype(np.float32)
    if not (np.isfinite(centre).all() and np.isfinite(root).all()):
        raise BadModel("the model's distribution of codes is none", hint="fit it again")
    return Codes(torch.as_tensor(centre, device=device), torch.as_tensor(root, device=device))
