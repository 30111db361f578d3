"""Draw tables from a conditional generative adversarial network (CTGAN, Xu et al. 2019, section 4).

NOTE[DIFF]: numbers are normal scores, point masses and missing values states of their own, instead of a scalar within
one of ten modes. NOTE[DIFF]: a sample is drawn with averaged weights; then logits are moved so that every state keeps
its share, and scores bent so that they are normal: an adversary never gets margins quite right.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
import torch

from synth_worker.encoding.storing_table import encoder_arrays, restore_encoder
from synth_worker.encoding.table_encoder import TableEncoder, fit_encoder
from synth_worker.errors import BadModel, NotFitted
from synth_worker.generators.assembly import check_train
from synth_worker.generators.base import Hyperparameters, Value, Watch, unwatched
from synth_worker.generators.checkpoint import fingerprint_of
from synth_worker.generators.column_logits import restore_added
from synth_worker.generators.conditions import resolve
from synth_worker.generators.ctgan_conditions import Conditions
from synth_worker.generators.ctgan_drawing import LEVELS, CtganModel, complete, draw
from synth_worker.generators.ctgan_learner import Game
from synth_worker.generators.ctgan_net import Critic, Maker, Shape
from synth_worker.generators.persistence import Stored, load_model, save_model
from synth_worker.generators.steps import batch_of, pace, steps_of
from synth_worker.generators.training import Look, Schedule, Setting, train
from synth_worker.generators.weights import (
    device_of,
    device_to_read,
    repeatable,
    restore_weights,
    seeded,
    weight_arrays,
)
from synth_worker.table import Floats, Table

METHOD = "ctgan"
RATE = 1e-3
"""NOTE[DIFF]: five times the reference's, lowered along the schedule."""


class Ctgan:
    """Fit a network that makes rows against one that tells them from real ones."""

    def __init__(self, hyperparameters: Hyperparameters) -> None:
        self.hyperparameters = dict(hyperparameters)
        self.looks: tuple[Look, ...] = ()
        self._model: CtganModel | None = None

    def fit(
        self,
        train: Table,
        *,
        rng: np.random.Generator,
        watch: Watch = unwatched,
        threads: int = 1,
        keep: Path | None = None,
    ) -> Self:
        """Learn to make rows that pass for real ones.

        Raises BadInput for columns that cannot be modelled or fewer than two rows, Cancelled at a stop before training
        began, TrainingFailed where it diverges again and again.
        """
        check_train(train)
        with repeatable():
            self._model = self._trained(train, rng=rng, watch=watch, keep=keep)
        return self

    def _trained(self, table: Table, *, rng: np.random.Generator, watch: Watch, keep: Path | None) -> CtganModel:
        device = device_of(str(self.hyperparameters.get("device", "auto")))
        fingerprint = fingerprint_of(table, hyperparameters=self.hyperparameters, rng=rng)
        encoder = fit_encoder(table)
        encoded = encoder.encode(table, rng=rng)
        generator = seeded(rng, device)
        maker = self._maker(encoder, generator).to(device)
        batch = batch_of(int(self.hyperparameters.get("batch_size", 256)), table.rows)
        critic = Critic(maker.shape, generator=generator).to(device)
        learner = Game(
            maker,
            critic,
            states=torch.as_tensor(encoded.states, device=device),
            scores=torch.as_tensor(encoded.scores, device=device),
            conditions=Conditions(maker.segments, encoder.counts, device=device),
            generator=generator,
        )
        glimpses, last = rng.spawn(2)

        def glimpse(rows: int) -> Table:
            stream = np.random.default_rng(glimpses.integers(2**62))
            return draw(complete(encoder, maker, generator=seeded(stream, device)), rows, rng=stream, fixed={})

        steps = steps_of(int(self.hyperparameters.get("n_iter", 300)), table.rows)
        setting = Setting(
            np.arange(table.rows), np.empty(0, dtype=np.int64), generator, watch, glimpse, keep, fingerprint, glimpses
        )
        found = train(
            learner, setting, schedule=Schedule(steps=steps, batch=batch, rate=RATE * pace(self.hyperparameters))
        )
        self.looks, self.ended = found.looks, found.ended
        return complete(encoder, maker, generator=seeded(last, device))

    def _maker(self, encoder: TableEncoder, generator: torch.Generator) -> Maker:
        shape = Shape(encoder.widths, encoder.numbers, hidden=int(self.hyperparameters.get("width", 256)))
        return Maker(shape, generator=generator)

    def sample(self, rows: int, *, rng: np.random.Generator, given: Mapping[str, Value] | None = None) -> Table:
        """Draw rows; what is ``given`` is a condition, or weighs what was made."""
        if self._model is None:
            raise NotFitted("the network has learnt no table yet", hint="call fit or load first")
        with repeatable():
            return draw(self._model, rows, rng=rng, fixed=resolve(given, self._model.encoder.schema))

    def row_loss(self, table: Table, *, rng: np.random.Generator) -> Floats | None:
        """Return None: the network knows no density."""
        return None

    def save(self, folder: Path) -> None:
        """Write the model into an existing folder."""
        if self._model is None:
            raise NotFitted("the network has learnt no table yet", hint="call fit first")
        model = self._model
        sources, arrays = encoder_arrays(model.encoder)
        arrays |= weight_arrays(model.maker)
        arrays |= {"added": model.added.cpu().numpy(), "curve": model.curve}
        state = {"hyperparameters": self.hyperparameters, "sources": sources}
        save_model(folder, method=METHOD, schema=model.encoder.schema, state=state, arrays=arrays)

    @classmethod
    def load(cls, folder: Path) -> Ctgan:
        """Read a model back. Raises BadModel on damage."""
        stored = load_model(folder, method=METHOD)
        made = cls(stored.hyperparameters())
        encoder = restore_encoder(stored.schema, stored.items("sources"), stored.arrays)
        device = device_to_read(str(made.hyperparameters.get("device", "auto")))
        maker = made._maker(encoder, torch.Generator())
        restore_weights(maker, stored.arrays)
        added = restore_added(stored, encoder.counts).to(device)
        made._model = CtganModel(encoder, maker.to(device), added, _curve(stored, len(encoder.numbers)))
        return made


def _curve(stored: Stored, numbers: int) -> Floats:
    found = stored.array("curve", dtype=np.float64, shape=(numbers, LEVELS)).astype(np.float64)
    if not (np.isfinite(found).all() and (np.diff(found, axis=1) >= 0).all()):
        raise BadModel("the model's curves of scores are none", hint="fit it again")
    return found
