"""Fit marginals to a source of counts: all that ``mst`` and ``aim`` share; they differ in which tables they measure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from synth_worker.errors import BadInput, NotFitted
from synth_worker.generators.base import Hyperparameters, Knob, Value, Watch, unwatched
from synth_worker.generators.dp_drawing import Joint, MarginalModel, draw
from synth_worker.generators.dp_fit import KNOBS, Start, begin, budget, number, step
from synth_worker.generators.dp_spending import Spending
from synth_worker.generators.dp_storing import restore, store
from synth_worker.privacy.noise import NoiseSource, opendp_noise
from synth_worker.privacy.source import MarginalSource, TableSource
from synth_worker.schema import Schema
from synth_worker.table import Floats, Table

STAGES = 3


class MarginalMethod(ABC):
    """Learn noised marginals; whatever it holds was computed from noised answers or is public.

    ``noise`` is OpenDP's, from the operating system's random numbers, unless another is given; a model fitted with
    scripted noise is not private and says so. What is read off data in the schema (bounds, labels, decimals, whether
    values are missing) is not looked at where a column is not public; names, order, kinds and dtypes are.
    """

    METHOD: ClassVar[str]
    OWN_KNOBS: ClassVar[tuple[Knob, ...]] = ()

    def __init__(self, hyperparameters: Hyperparameters, *, noise: NoiseSource | None = None) -> None:
        knobs = {knob.name: knob.default for knob in (*KNOBS, *self.OWN_KNOBS)}
        self.hyperparameters: dict[str, Value] = {**knobs, **hyperparameters}
        self._noise = noise
        self._model: MarginalModel | None = None

    def fit(
        self,
        train: Table,
        *,
        rng: np.random.Generator,
        watch: Watch = unwatched,
        threads: int = 1,
        keep: Path | None = None,
    ) -> Self:
        """Learn from a table in memory; ``rng`` only orders the rows of a unit of which some are left out.

        The noise does not come from ``rng``: two fits differ. One thread is enough and nothing is kept on the way.
        Raises BadInput for columns that cannot be modelled, or without public bounds where only these are allowed.
        """
        most = int(number(self.hyperparameters, "max_rows_per_unit"))
        source = TableSource(train, most, str(rng.integers(2**62)))
        return self.fit_source(source, train.schema, watch=watch)

    def fit_source(self, source: MarginalSource, schema: Schema, *, watch: Watch = unwatched) -> Self:
        """Learn from a source of counts, of which ``schema`` names the columns."""
        foreign = [column.name for column in schema if not column.modelled]
        if foreign or not len(schema):
            raise BadInput(f"columns {foreign[:5]} cannot be modelled", hint="fit on table.modelled()")
        step(watch, 0, STAGES, "budget")
        noise = self._noise or opendp_noise()
        knobs = self.hyperparameters
        spending, delta = budget(schema, knobs)
        start = begin(source, schema, knobs=knobs, spending=spending, delta=delta, noise=noise, pairs=self._tables)
        step(watch, 1, STAGES, "columns")
        tree = self._tree(start, source, spending, noise=noise, watch=watch)
        step(watch, STAGES, STAGES, "pairs")
        self._model = MarginalModel(
            start.schema,
            start.margins,
            start.groups,
            tree,
            max(round(start.rows), 1),
            tuple(spending.taken),
            start.delta,
            noise.private,
        )
        return self

    @abstractmethod
    def _tables(self, columns: int) -> float:
        """Return among how many tables what the margins leave is divided, about: it sets how coarse codes are."""

    @abstractmethod
    def _tree(
        self, start: Start, source: MarginalSource, spending: Spending, *, noise: NoiseSource, watch: Watch
    ) -> Joint:
        """Measure joint tables with what is left, and return a joint distribution over the codes."""

    @property
    def model(self) -> MarginalModel:
        """Return what was learnt. Raises NotFitted."""
        if self._model is None:
            raise NotFitted(f"{self.METHOD} has learnt no table yet", hint="call fit or load first")
        return self._model

    def sample(self, rows: int, *, rng: np.random.Generator, given: Mapping[str, Value] | None = None) -> Table:
        """Draw rows; given columns are conditioned on exactly, under the model. Costs no privacy, however often."""
        return draw(self.model, rows, rng=rng, given=given)

    def save(self, folder: Path) -> None:
        """Write the model into an existing folder."""
        store(folder, self.model, method=self.METHOD, hyperparameters=self.hyperparameters)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a model back. Raises BadModel on damage."""
        model, hyperparameters = restore(folder, method=cls.METHOD)
        made = cls(hyperparameters)
        made._model = model
        return made

    def row_loss(self, table: Table, *, rng: np.random.Generator) -> Floats | None:
        """Return None: the attack on a loss is one on a trained network."""
        return None
