"""Draw tables by diffusion: a network learns to restore spoilt rows, and restores rows that are nothing but noise.

After Kotelnikov et al. 2023 (TabDDPM) and what was found better since; ``VARIANTS`` names both, and each variant's
module says where it departs from its paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import nn

from synth_worker.encoding.storing_table import encoder_arrays, restore_encoder
from synth_worker.encoding.table_encoder import TableEncoder, fit_encoder
from synth_worker.errors import BadModel, NotFitted, UnknownName
from synth_worker.generators.assembly import assemble, check_train
from synth_worker.generators.base import Hyperparameters, Value, Watch, unwatched
from synth_worker.generators.checkpoint import fingerprint_of
from synth_worker.generators.conditions import resolve
from synth_worker.generators.learner import SingleLoss
from synth_worker.generators.persistence import load_model, save_model
from synth_worker.generators.steps import batch_of, pace, steps_of
from synth_worker.generators.tabddpm_endpoint import Endpoint
from synth_worker.generators.tabddpm_published import Published
from synth_worker.generators.tabddpm_variant import Variant
from synth_worker.generators.training import Look, Schedule, Setting, hold_out, train
from synth_worker.generators.weights import (
    device_of,
    device_to_read,
    precision_of,
    repeatable,
    restore_weights,
    seeded,
    weight_arrays,
)
from synth_worker.table import Floats, Table

METHOD = "ddpm"
DRAWS = 16
"""Noise draws over which the loss of a row is averaged."""

VARIANTS: dict[str, Variant] = {
    "endpoint": Endpoint(),
    "kotelnikov2023": Published(),
}


@dataclass(frozen=True, eq=False)
class DiffusionModel:
    """Hold the encoder and the network."""

    encoder: TableEncoder
    net: nn.Module


class TabDdpm:
    """Fit a network that restores spoilt rows, and draw by restoring rows of noise."""

    def __init__(self, hyperparameters: Hyperparameters, variant: Variant | None = None) -> None:
        """Take the hyper-parameters; a ``variant`` that is handed in takes the place of the one they name."""
        self.hyperparameters = dict(hyperparameters)
        name = str(self.hyperparameters.get("variant", "endpoint"))
        if name not in VARIANTS:
            raise UnknownName.of("variant of method 'ddpm'", name, VARIANTS)
        self.variant = VARIANTS[name] if variant is None else variant
        self.looks: tuple[Look, ...] = ()
        self.ended = ""
        self._model: DiffusionModel | None = None

    def fit(
        self,
        train: Table,
        *,
        rng: np.random.Generator,
        watch: Watch = unwatched,
        threads: int = 1,
        keep: Path | None = None,
    ) -> Self:
        """Learn to restore rows.

        Raises BadInput for columns that cannot be modelled or fewer than two rows, Cancelled at a stop before training
        began, TrainingFailed where it diverges again and again.
        """
        check_train(train)
        with repeatable():
            self._model = self._trained(train, rng=rng, watch=watch, keep=keep)
        return self

    def _trained(self, table: Table, *, rng: np.random.Generator, watch: Watch, keep: Path | None) -> DiffusionModel:
        device = device_of(str(self.hyperparameters.get("device", "auto")))
        fingerprint = fingerprint_of(table, hyperparameters=self.hyperparameters, rng=rng)
        encoder = fit_encoder(table)
        own, held = hold_out(table.rows, rng)
        encoded = encoder.encode(table, rng=rng)
        generator = seeded(rng, device)
        net = self.variant.net(encoder, self.hyperparameters, generator=generator).to(device)
        model = DiffusionModel(encoder, net)
        loss = self.variant.loss(net, encoder, encoded, hyperparameters=self.hyperparameters, device=device)
        precision = precision_of(asked_precision(self.hyperparameters, device), device)
        learner = SingleLoss(net, loss, generator=generator, decay=self.variant.decay, precision=precision)
        glimpses = rng.spawn(1)[0]

        def glimpse(rows: int) -> Table:
            return self._drawn(model, rows, rng=np.random.default_rng(glimpses.integers(2**62)), fixed={})

        schedule = Schedule(
            steps=steps_of(int(self.hyperparameters.get("n_iter", 200)), table.rows),
            batch=batch_of(int(self.hyperparameters.get("batch_size", 256)), len(own)),
            rate=self.variant.rate * pace(self.hyperparameters),
            average=self.variant.average,
        )
        setting = Setting(own, held, generator, watch, glimpse, keep, fingerprint, glimpses)
        found = train(learner, setting, schedule=schedule)
        self.looks, self.ended = found.looks, found.ended
        return model

    def sample(self, rows: int, *, rng: np.random.Generator, given: Mapping[str, Value] | None = None) -> Table:
        """Draw rows; what is ``given`` is known from the first step on."""
        model = self._fitted()
        with repeatable():
            return self._drawn(model, rows, rng=rng, fixed=resolve(given, model.encoder.schema))

    def _drawn(
        self, model: DiffusionModel, rows: int, *, rng: np.random.Generator, fixed: Mapping[str, float]
    ) -> Table:
        encoder = model.encoder
        values = encoder.fixed(fixed, rows=rows, rng=rng)
        encoded = self.variant.draw(
            model.net, encoder, rows, hyperparameters=self.hyperparameters, values=values, rng=rng
        )
        columns = encoder.decode(encoded, rng=rng)
        for place, own in values.items():
            columns[encoder.free[place]] = own
        for name, value in fixed.items():
            columns[encoder.schema.names.index(name)] = np.full(rows, value)
        return assemble(encoder.schema, columns)

    def row_loss(self, table: Table, *, rng: np.random.Generator) -> Floats | None:
        """Return the mean loss of each row over sixteen draws of the noise, shape (rows,)."""
        model = self._fitted()
        device = next(model.net.parameters()).device
        encoded = model.encoder.encode(table, rng=rng)
        loss = self.variant.loss(model.net, model.encoder, encoded, hyperparameters=self.hyperparameters, device=device)
        generator = seeded(rng, device)
        rows = torch.arange(table.rows, device=device)
        total = torch.zeros(table.rows, device=device)
        with torch.no_grad(), repeatable():
            for _ in range(DRAWS):
                total += loss(rows, generator=generator, learning=False)
        return (total / DRAWS).cpu().numpy().astype(np.float64)

    def _fitted(self) -> DiffusionModel:
        if self._model is None:
            raise NotFitted("the network has learnt no table yet", hint="call fit or load first")
        return self._model

    def save(self, folder: Path) -> None:
        """Write the model into an existing folder."""
        model = self._fitted()
        sources, arrays = encoder_arrays(model.encoder)
        state = {"hyperparameters": self.hyperparameters, "sources": sources}
        arrays |= weight_arrays(model.net)
        save_model(folder, method=METHOD, schema=model.encoder.schema, state=state, arrays=arrays)

    @classmethod
    def load(cls, folder: Path) -> TabDdpm:
        """Read a model back. Raises BadModel on damage."""
        stored = load_model(folder, method=METHOD)
        try:
            made = cls(stored.hyperparameters())
        except UnknownName as error:
            raise BadModel(f"the model is of a variant that this program does not know: {error}") from error
        encoder = restore_encoder(stored.schema, stored.items("sources"), stored.arrays)
        device = device_to_read(str(made.hyperparameters.get("device", "auto")))
        net = made.variant.net(encoder, made.hyperparameters, generator=torch.Generator())
        restore_weights(net, stored.arrays)
        made._model = DiffusionModel(encoder, net.to(device))
        return made


def asked_precision(hyperparameters: Hyperparameters, device: torch.device) -> str:
    """Return the precision that is asked for; by itself only a GPU computes in less, and the published variant never.

    >>> asked_precision({}, torch.device("cpu")), asked_precision({}, torch.device("cuda"))
    ('float32', 'auto')
    """
    asked = str(hyperparameters.get("precision", "auto"))
    published = hyperparameters.get("variant") == "kotelnikov2023"
    return "float32" if asked == "auto" and (published or device.type == "cpu") else asked
