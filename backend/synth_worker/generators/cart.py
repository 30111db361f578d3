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

from synth_worker.encoding.direction import widen
from synth_worker.errors import Cancelled, NotFitted
from synth_worker.generators.assembly import assemble, check_train
from synth_worker.generators.base import Hyperparameters, Progress, Signal, Value, Watch, unwatched
from synth_worker.generators.cart_column import ColumnModel, fit_column
from synth_worker.generators.cart_features import Codec, see
from synth_worker.generators.cart_given import draw_columns
from synth_worker.generators.cart_knobs import Strictness, strictness
from synth_worker.generators.cart_order import drawing_order, first_columns
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
    """Fit one set of trees per column on the columns drawn before it.

    ``strict`` takes the place of what the privacy knob means; ablations turn its parts one at a time.
    """

    def __init__(self, hyperparameters: Hyperparameters, *, strict: Strictness | None = None) -> None:
        self.hyperparameters = dict(hyperparameters)
        self._strict = strict
        self._model: CartModel | None = None

    def fit(
        self,
        train: Table,
        *,
        rng: np.random.Generator,
        watch: Watch = unwatched,
        threads: int = 1,
        keep: Path | None = None,
    ) -> Self:
        """Fit every column, several at a time; each has a random stream of its own, so threads change nothing.

        Nothing is kept on the way: trees are fitted in seconds.
        Raises BadInput for columns that cannot be modelled or fewer than two rows, Cancelled at a stop.
        """
        check_train(train)
        strict = self._strict or strictness(float(self.hyperparameters.get("privacy", 0.5)))
        most = int(self.hyperparameters.get("predictors", 30))
        first = first_columns(str(self.hyperparameters.get("first", "")), train.schema.names)
        position = widen(train).principal_direction()
        seen = [see(column, train, rare=RARE, position=position) for column in train.schema]
        numeric = [column.continuous for column in train.schema]
        order = drawing_order([one.distinct for one in seen], numeric=numeric, first=first)
        streams = rng.spawn(len(order))
        found: list[ColumnModel] = []
        with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
            waiting = [
                pool.submit(
                    fit_column,
                    seen,
                    target,
                    earlier=order[:place],
                    strict=strict,
                    most=most,
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
        """Draw rows column by column; those drawn before a ``given`` one are drawn until they go with it."""
        if self._model is None:
            raise NotFitted("the trees have learnt no table yet", hint="call fit or load first")
        model = self._model
        places = {model.schema.names.index(name): value for name, value in resolve(given, model.schema).items()}
        drawn = draw_columns(model.columns, rows, codecs=model.codecs, fixed=places, rng=rng)
        return assemble(model.schema, [drawn[at] for at in range(len(model.schema))])

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
        made = cls(stored.hyperparameters())
        made._model = CartModel(stored.schema, codecs, columns)
        return made

    def row_loss(self, table: Table, *, rng: np.random.Generator) -> Floats | None:
        """Return None: trees offer no loss per row."""
        return None
