"""Turn fitted column models into JSON and arrays, and back, checking what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from synth_worker.encoding.numbers import NumberCodec
from synth_worker.encoding.storing import label_arrays, number_arrays, restore_labels, restore_numbers
from synth_worker.errors import BadModel
from synth_worker.generators.cart_column import ColumnModel
from synth_worker.generators.cart_features import Codec
from synth_worker.generators.cart_index import Index
from synth_worker.generators.cart_tree import restore_tree
from synth_worker.generators.persistence import State, Stored
from synth_worker.table import Floats

Array = NDArray[np.generic]
MOST_TREES = 1000


def store(codecs: Sequence[Codec], columns: Sequence[ColumnModel]) -> tuple[State, dict[str, Array]]:
    """Return the JSON part and the arrays of a model."""
    arrays: dict[str, Array] = {}
    for at, codec in enumerate(codecs):
        name = f"column{at}"
        arrays |= number_arrays(codec, name) if isinstance(codec, NumberCodec) else label_arrays(codec, name)
    rows: list[dict[str, object]] = []
    for place, model in enumerate(columns):
        name = f"model{place}"
        rows.append(
            {
                "target": model.target,
                "predictors": list(model.predictors),
                "trees": len(model.trees),
                "reach": float(model.reach),
                "backoff": float(model.backoff),
                "least": model.least,
                "source": model.source,
            }
        )
        arrays |= {f"{name}.states": model.states, f"{name}.places": model.places, f"{name}.lookup": model.lookup}
        index = model.index
        arrays |= {f"{name}.centre": index.centre, f"{name}.scale": index.scale, f"{name}.weights": index.weights}
        arrays |= {f"{name}.slope": index.slope, f"{name}.lean": model.lean}
        for at, order in model.orders.items():
            arrays[f"{name}.order{at}"] = order
        for at, tree in enumerate(model.trees):
            arrays |= tree.arrays(f"{name}.tree{at}")
    return {"models": rows}, arrays


def restore(stored: Stored) -> tuple[tuple[Codec, ...], tuple[ColumnModel, ...]]:
    """Build codecs and column models. Raises BadModel where a part is missing or points outside."""
    codecs: list[Codec] = []
    for at, column in enumerate(stored.schema):
        if column.continuous:
            codecs.append(restore_numbers(stored.arrays, f"column{at}"))
        else:
            codecs.append(restore_labels(stored.arrays, f"column{at}", levels=len(column.categories)))
    models: list[ColumnModel] = []
    known: set[int] = set()
    for place, row in enumerate(stored.items("models")):
        if not isinstance(row, dict):
            raise BadModel("a column model is not an object", hint="fit it again")
        model = _restored(stored, cast("dict[str, object]", row), name=f"model{place}", codecs=codecs, known=known)
        known.add(model.target)
        models.append(model)
    if known != set(range(len(codecs))) or len(models) != len(codecs):
        raise BadModel("the model does not draw every column once", hint="fit it again")
    return tuple(codecs), tuple(models)


def _restored(
    stored: Stored, row: dict[str, object], *, name: str, codecs: Sequence[Codec], known: set[int]
) -> ColumnModel:
    part = Stored(stored.method, stored.schema, row, stored.arrays)
    target = int(part.number("target"))
    predictors = [at for at in part.items("predictors") if isinstance(at, int)]
    source = None if row.get("source") is None else int(part.number("source"))
    if not set(predictors) | ({source} - {None}) <= known or not 0 <= target < len(codecs):
        raise BadModel("a column model looks at columns that are not drawn before it", hint="fit it again")
    states = stored.array(f"{name}.states", dtype=np.int64, shape=(-1,)).astype(np.int64)
    places = stored.array(f"{name}.places", dtype=np.float64, shape=(len(states),)).astype(np.float64)
    if not len(states) or states.min() < -1 or states.max() >= codecs[target].state_count or np.isnan(places).any():
        raise BadModel("a column model has donors without a value", hint="fit it again")
    orders: dict[int, Floats] = {}
    for at in predictors:
        codec = codecs[at]
        if not isinstance(codec, NumberCodec):
            shape = (codec.state_count + 1,)
            orders[at] = stored.array(f"{name}.order{at}", dtype=np.float64, shape=shape).astype(np.float64)
    index = _index(stored, name, len(predictors))
    lean = stored.array(f"{name}.lean", dtype=np.float64, shape=(-1,)).astype(np.float64)
    if len(lean) not in {0, len(states)} or not np.isfinite(lean).all():
        raise BadModel("a column model's predictions do not fit its donors", hint="fit it again")
    count = int(part.number("trees"))
    if not 1 <= count <= MOST_TREES:
        raise BadModel(f"a column model claims {count} trees; the limit is {MOST_TREES}", hint="fit it again")
    wide = len(predictors) + index.weights.shape[1]
    return ColumnModel(
        target=target,
        predictors=tuple(predictors),
        orders=orders,
        trees=tuple(
            restore_tree(stored.arrays, f"{name}.tree{at}", features=wide, rows=len(states)) for at in range(count)
        ),
        states=states,
        places=places,
        reach=part.number("reach"),
        backoff=part.number("backoff"),
        least=int(part.number("least")),
        lean=lean,
        index=index,
        source=source,
        lookup=np.empty(0) if source is None else _lookup(stored, name, codecs[source], codecs[target]),
    )


def _index(stored: Stored, name: str, predictors: int) -> Index:
    centre = stored.array(f"{name}.centre", dtype=np.float64, shape=(-1,)).astype(np.float64)
    scale = stored.array(f"{name}.scale", dtype=np.float64, shape=(-1,)).astype(np.float64)
    weights = stored.array(f"{name}.weights", dtype=np.float64, shape=(-1, -1)).astype(np.float64)
    slope = stored.array(f"{name}.slope", dtype=np.float64, shape=(-1,)).astype(np.float64)
    if not len(centre) == len(scale) == len(weights) == len(slope) == predictors or (scale <= 0).any():
        raise BadModel("a column model's index does not fit its predictors", hint="fit it again")
    return Index(centre, scale, weights, slope)


def _lookup(stored: Stored, name: str, source: Codec, target: Codec) -> Floats:
    levels = (len(source.knots) if isinstance(source, NumberCodec) else len(source.state_of)) + 1
    lookup = stored.array(f"{name}.lookup", dtype=np.float64, shape=(levels,)).astype(np.float64)
    if not isinstance(target, NumberCodec) and not (np.isin(lookup, np.arange(-1, len(target.state_of)))).all():
        raise BadModel("a column model looks up labels that do not exist", hint="fit it again")
    return lookup
