"""Draw tables cell by cell from one network that predicts any column from any others: an any-order autoregressive net.

After Hoogeboom et al. 2022 (Autoregressive Diffusion Models, section 3) and TabularARGN (Tiwald et al. 2025).
NOTE[DIFF]: numbers are normal scores with a mixture density instead of bins, and point masses and missing values are
states of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from synth_worker.encoding.storing_table import encoder_arrays, restore_encoder
from synth_worker.encoding.table_encoder import Encoded, TableEncoder, fit_encoder
from synth_worker.errors import BadModel, NotFitted
from synth_worker.generators.arn_drawing import draw
from synth_worker.generators.arn_net import ArnNet, Shape
from synth_worker.generators.assembly import assemble, check_train
from synth_worker.generators.base import Hyperparameters, Value, Watch, unwatched
from synth_worker.generators.checkpoint import fingerprint_of
from synth_worker.generators.conditions import resolve
from synth_worker.generators.learner import SingleLoss
from synth_worker.generators.persistence import load_model, save_model
from synth_worker.generators.steps import batch_of, pace, steps_of
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

METHOD = "arn"
RATE = 2e-3
DECAY = 0.01
LEAST_DROPOUT, MORE_DROPOUT = 0.1, 0.3
LEAST_SPREAD, MORE_SPREAD = 0.04, 0.3
"""Dropout and the narrowest component of a score's density at ``privacy`` 0, and what 1 adds."""

PRIOR = 0.3
"""Rows that each state is taken to have been seen more often than it was, where the network begins."""


@dataclass(frozen=True, eq=False)
class ArnModel:
    """Hold the encoder, the network, and the order in which columns are drawn (places among the free columns)."""

    encoder: TableEncoder
    net: ArnNet
    order: tuple[int, ...]


class AnyOrder:
    """Fit one network that predicts each column from any others, and draw column by column."""

    def __init__(self, hyperparameters: Hyperparameters) -> None:
        self.hyperparameters = dict(hyperparameters)
        self._precision = str(self.hyperparameters.get("precision", "auto"))
        self.looks: tuple[Look, ...] = ()
        self.ended = ""
        self._model: ArnModel | None = None

    def fit(
        self,
        train: Table,
        *,
        rng: np.random.Generator,
        watch: Watch = unwatched,
        threads: int = 1,
        keep: Path | None = None,
    ) -> Self:
        """Learn the conditional distributions.

        Raises BadInput for columns that cannot be modelled or fewer than two rows, Cancelled at a stop before training
        began, TrainingFailed where it diverges again and again.
        """
        check_train(train)
        with repeatable():
            self._model = self._trained(train, rng=rng, watch=watch, keep=keep)
        return self

    def _trained(self, table: Table, *, rng: np.random.Generator, watch: Watch, keep: Path | None) -> ArnModel:
        device = device_of(str(self.hyperparameters.get("device", "auto")))
        fingerprint = fingerprint_of(table, hyperparameters=self.hyperparameters, rng=rng)
        encoder = fit_encoder(table)
        own, held = hold_out(table.rows, rng)
        encoded = encoder.encode(table, rng=rng)
        generator = seeded(rng, device)
        model = ArnModel(encoder, self._net(encoder, generator).to(device), _order(encoder))
        loss = _RowLoss(model, encoded, device)
        learner = SingleLoss(
            model.net, loss, generator=generator, decay=DECAY, precision=precision_of(self._precision, device)
        )
        glimpses = rng.spawn(1)[0]

        def glimpse(rows: int) -> Table:
            return _drawn(model, rows, rng=np.random.default_rng(glimpses.integers(2**62)), fixed={})

        schedule = Schedule(
            steps=steps_of(int(self.hyperparameters.get("n_iter", 100)), table.rows),
            batch=batch_of(int(self.hyperparameters.get("batch_size", 256)), len(own)),
            rate=RATE * pace(self.hyperparameters),
        )
        setting = Setting(own, held, generator, watch, glimpse, keep, fingerprint, glimpses)
        found = train(learner, setting, schedule=schedule)
        self.looks, self.ended = found.looks, found.ended
        return model

    def _net(self, encoder: TableEncoder, generator: torch.Generator) -> ArnNet:
        privacy = float(self.hyperparameters.get("privacy", 0.3))
        shape = Shape(
            encoder.widths,
            encoder.numbers,
            hidden=int(self.hyperparameters.get("width", 256)),
            layers=int(self.hyperparameters.get("layers", 2)),
            dropout=LEAST_DROPOUT + MORE_DROPOUT * privacy,
            spread=LEAST_SPREAD + MORE_SPREAD * privacy,
        )
        return ArnNet(shape, logits=_logits(encoder), generator=generator)

    def sample(self, rows: int, *, rng: np.random.Generator, given: Mapping[str, Value] | None = None) -> Table:
        """Draw rows; what is ``given`` is known to every other column, whatever the order."""
        if self._model is None:
            raise NotFitted("the network has learnt no table yet", hint="call fit or load first")
        with repeatable():
            return _drawn(self._model, rows, rng=rng, fixed=resolve(given, self._model.encoder.schema))

    def impute(self, table: Table, *, rng: np.random.Generator) -> Table:
        """Fill the missing cells of a table of the schema that was learnt, each row's from its other cells."""
        if self._model is None:
            raise NotFitted("the network has learnt no table yet", hint="call fit or load first")
        model, encoder = self._model, self._model.encoder
        absent = np.stack([table.missing(column.name) for column in encoder.schema], axis=1)
        with repeatable():
            start = encoder.encode(table, rng=rng)
            known = ~absent[:, list(encoder.free)]
            filled = draw(model.net, encoder, start, known=known, order=model.order, rng=rng, present=True)
        columns = encoder.decode(filled, rng=rng)
        for at, column in enumerate(encoder.schema):
            real = table.numbers(column.name) if column.continuous else table.codes(column.name)
            columns[at] = np.where(absent[:, at], columns[at], real)
        return assemble(encoder.schema, columns)

    def row_loss(self, table: Table, *, rng: np.random.Generator) -> Floats | None:
        """Return the mean loss of each row over sixteen draws of what is known of it, shape (rows,)."""
        if self._model is None:
            raise NotFitted("the network has learnt no table yet", hint="call fit or load first")
        model = self._model
        device = next(model.net.parameters()).device
        loss = _RowLoss(model, model.encoder.encode(table, rng=rng), device)
        generator = seeded(rng, device)
        rows = torch.arange(table.rows, device=device)
        total = torch.zeros(table.rows, device=device)
        with torch.no_grad(), repeatable():
            for _ in range(16):
                total += loss(rows, generator=generator, learning=False)
        return (total / 16).cpu().numpy().astype(np.float64)

    def save(self, folder: Path) -> None:
        """Write the model into an existing folder."""
        if self._model is None:
            raise NotFitted("the network has learnt no table yet", hint="call fit first")
        model = self._model
        sources, arrays = encoder_arrays(model.encoder)
        state = {"hyperparameters": self.hyperparameters, "sources": sources, "order": list(model.order)}
        arrays |= weight_arrays(model.net)
        save_model(folder, method=METHOD, schema=model.encoder.schema, state=state, arrays=arrays)

    @classmethod
    def load(cls, folder: Path) -> AnyOrder:
        """Read a model back. Raises BadModel on damage."""
        stored = load_model(folder, method=METHOD)
        made = cls(stored.hyperparameters())
        encoder = restore_encoder(stored.schema, stored.items("sources"), stored.arrays)
        order = tuple(int(str(one)) for one in stored.items("order") if type(one) is int)
        if sorted(order) != list(range(len(encoder.free))):
            raise BadModel("the model's order of columns is none", hint="fit it again")
        device = device_to_read(str(made.hyperparameters.get("device", "auto")))
        net = made._net(encoder, torch.Generator())
        restore_weights(net, stored.arrays)
        made._model = ArnModel(encoder, net.to(device), order)
        return made


class _RowLoss:
    """Compute the loss of rows: how improbable the unknown cells are, given the known ones."""

    def __init__(self, model: ArnModel, encoded: Encoded, device: torch.device) -> None:
        self.net = model.net
        self.states = torch.as_tensor(encoded.states, device=device)
        self.scores = torch.as_tensor(encoded.scores, device=device)

    def __call__(self, rows: Tensor, *, generator: torch.Generator, learning: bool) -> Tensor:
        """Return the mean of minus the log-probability over the unknown cells, shape (rows,)."""
        states, scores = self.states[rows], self.scores[rows]
        known = self._known(states, generator)
        hidden = self.net.hidden(self.net.entered(states, scores, known), generator if learning else None)
        unknown = 1 - known
        return (self.net.losses(states, scores, hidden) * unknown).sum(dim=1) / unknown.sum(dim=1)

    def _known(self, states: Tensor, generator: torch.Generator) -> Tensor:
        """Draw which cells are known: how many is uniform from none to all but one, and then any are."""
        rows, columns = states.shape
        count = torch.randint(0, columns, (rows, 1), generator=generator, device=states.device)
        noise = torch.rand(rows, columns, generator=generator, device=states.device)
        return (noise.argsort(dim=1).argsort(dim=1) < count).float()


def _drawn(model: ArnModel, rows: int, *, rng: np.random.Generator, fixed: Mapping[str, float]) -> Table:
    encoder = model.encoder
    values = encoder.fixed(fixed, rows=rows, rng=rng)
    filler = [np.full(rows, np.nan if encoder.schema.columns[at].continuous else -1.0) for at in encoder.free]
    start = encoder.encode_columns([values.get(at, own) for at, own in enumerate(filler)], rows=rows, rng=rng)
    known = np.zeros(start.states.shape, dtype=np.bool_)
    known[:, list(values)] = True
    columns = encoder.decode(draw(model.net, encoder, start, known=known, order=model.order, rng=rng), rng=rng)
    for place, own in values.items():
        columns[encoder.free[place]] = own
    for name, value in fixed.items():
        columns[encoder.schema.names.index(name)] = np.full(rows, value)
    return assemble(encoder.schema, columns)


def _order(encoder: TableEncoder) -> tuple[int, ...]:
    """Return the drawing order: few states first, then numbers by how many states they have."""
    numbers = set(encoder.numbers)
    return tuple(sorted(range(len(encoder.free)), key=lambda at: (at in numbers, encoder.widths[at], at)))


def _logits(encoder: TableEncoder) -> Sequence[float]:
    counts = [np.asarray(one, dtype=np.float64) + PRIOR for one in encoder.counts]
    return np.concatenate([np.log(one / one.sum()) for one in counts]).tolist() if counts else []
