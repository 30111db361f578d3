"""Draw tables column by column from trees: sequential CART with smoothing, back-off and chosen leaves.

After synthpop (Nowok, Raab, Dibben 2016, section 2). NOTE[DIFF]: leaves are sized by held-out likelihood per column,
donor values are smoothed over neighbouring ranks, rare labels are drawn from a common pool, and a column that follows
from an earlier one is looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from synth_worker.encoding.direction import principal_direction
from synth_worker.errors import BadInput, Cancelled, NotFitted
from synth_worker.generators.base import Hyperparameters, Progress, Signal, Value, Watch, unwatched
from synth_worker.generators.cart_column import ColumnModel, draw_column, fit_column
from synth_worker.generators.cart_features import Codec, see
from synth_worker.generators.cart_knobs import strictness
from synth_worker.generators.cart_order import drawing_order
from synth_worker.generators.cart_storing import restore, store
from synth_worker.generators.conditions import resolve
from synth_worker.generators.persistence import load_model, save_model
from synth_worker.schema import Schema
from synth_worker.table import Floats, Table

METHOD = "cart"
RARE = 5


@dataclass(frozen=True, eq=False)
class CartModel:
    """Hold a codec per column of the schema and the column models in drawing order."""

    schema: Schema
    codecs: tuple[Codec, ...]
    columns: tuple[ColumnModel, ...]


class Cart:
    """Fit one set of trees per column on the columns drawn before it."""

    def __init__(self, hyperparameters: Hyperparameters) -> None:
        self.hyperparameters = dict(hyperparameters)
        self._strict = strictness(float(hyperparameters.get("privacy", 0.5)))
        self._most = int(hyperparameters.get("predictors", 30))
        self._model: CartModel | None = None

    def fit(self, train: Table, *, rng: np.random.Generator, watch: Watch = unwatched, threads: int = 1) -> Self:
        """Fit every column, several at a time; each has a random stream of its own, so threads change nothing.

        Raises BadInput for columns that cannot be modelled or fewer than two rows, Cancelled at a stop.
        """
        _check(train)
        position = principal_direction(train)
        seen = [see(column, train, rare=RARE, position=position) for column in train.schema]
        numeric = [column.continuous for column in train.schema]
        order = drawing_order([one.distinct for one in seen], numeric=numeric)
        streams = rng.spawn(len(order))
        found: list[ColumnModel] = []
        with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
            waiting = [
                pool.submit(
                    fit_column,
                    seen,
                    target,
                    earlier=order[:place],
                    strict=self._strict,
                    most=self._most,
                    rng=streams[place],
                )
                for place, target in enumerate(order)
            ]
            for place, one in enumerate(waiting):
                found.append(one.result())
                name = train.schema.columns[order[place]].name
                if watch(Progress(place + 1, len(order), f"column {name}"), None) is Signal.STOP:
                    pool.shutdown(wait=True, cancel_futures=True)
                    raise Cancelled(f"stopped after {place + 1} of {len(order)} columns")
        self._model = CartModel(train.schema, tuple(one.codec for one in seen), tuple(found))
        return self

    def sample(self, rows: int, *, rng: np.random.Generator, given: Mapping[str, Value] | None = None) -> Table:
        """Draw rows column by column."""
        if self._model is None:
            raise NotFitted("the trees have learnt no table yet", hint="call fit or load first")
        model = self._model
        fixed = resolve(given, model.schema)
        drawn: dict[int, Floats] = {}
        for column, stream in zip(model.columns, rng.spawn(len(model.columns)), strict=True):
            name = model.schema.columns[column.target].name
            if name in fixed:
                drawn[column.target] = np.full(rows, fixed[name])
            else:
                drawn[column.target] = draw_column(column, drawn, rows, codecs=model.codecs, rng=stream)
        return _table(model.schema, drawn)

    def save(self, folder: Path) -> None:
        """Write the model into an existing folder."""
        if self._model is None:
            raise NotFitted("the trees have learnt no table yet", hint="call fit first")
        model = self._model
        state, arrays = store(model.codecs, model.columns)
        whole = {"hyperparameters": self.hyperparameters, **state}
        save_model(folder, method=METHOD, schema=model.schema, state=whole, arrays=arrays)

    @classmethod
    def load(cls, folder: Path) -> Cart:
        """Read a model back. Raises BadModel on damage."""
        stored = load_model(folder, method=METHOD)
        codecs, columns = restore(stored)
        made = cls({})
        made._model = CartModel(stored.schema, codecs, columns)
        return made

    def row_loss(self, table: Table, *, rng: np.random.Generator) -> Floats | None:
        """Return None: trees offer no loss per row."""
        return None


def _check(train: Table) -> None:
    foreign = [column.name for column in train.schema if not column.modelled]
    if foreign or not len(train.schema):
        raise BadInput(f"columns {foreign[:5]} cannot be modelled", hint="fit on table.modelled()")
    if train.rows < 2:
        raise BadInput(f"the table has {train.rows} rows; at least 2 are needed")


def _table(schema: Schema, drawn: Mapping[int, Floats]) -> Table:
    frame: dict[str, object] = {}
    for at, column in enumerate(schema):
        if column.continuous:
            frame[column.name] = drawn[at]
        else:
            codes = drawn[at].astype(np.int64)
            frame[column.name] = pd.Categorical.from_codes(codes, categories=list(column.categories))
    return Table(schema, pd.DataFrame(frame, columns=list(schema.names)))
