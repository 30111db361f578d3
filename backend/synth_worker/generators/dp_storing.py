"""Write and read the model of a marginal method."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np

from synth_worker.errors import BadModel
from synth_worker.generators.base import Value
from synth_worker.generators.clique_tree import CliqueTree
from synth_worker.generators.dp_drawing import Joint, MarginalModel
from synth_worker.generators.dp_margin import Margin
from synth_worker.generators.order_free import OrderFree
from synth_worker.generators.persistence import Stored, load_model, save_model
from synth_worker.privacy.cells import Cells
from synth_worker.table import Ints


def store(folder: Path, model: MarginalModel, *, method: str, hyperparameters: Mapping[str, Value]) -> None:
    """Write the model into an existing folder."""
    arrays: dict[str, np.ndarray] = {}
    for at, (margin, groups) in enumerate(zip(model.margins, model.groups, strict=True)):
        arrays |= {f"column{at}.counts": margin.counts, f"column{at}.variances": margin.variances}
        arrays[f"column{at}.groups"] = groups
    joint, own = _joint_out(model.tree)
    arrays.update(own)
    state = {
        "hyperparameters": dict(hyperparameters),
        "cells": [margin.cells.to_json() for margin in model.margins],
        **joint,
        "rows": model.rows,
        "spent": [list(one) for one in model.spent],
        "delta": model.delta,
        "private": model.private,
    }
    save_model(folder, method=method, schema=model.schema, state=state, arrays=arrays)


def restore(folder: Path, *, method: str) -> tuple[MarginalModel, dict[str, Value]]:
    """Read a model back, with its hyper-parameters. Raises BadModel on damage."""
    stored = load_model(folder, method=method)
    schema = stored.schema
    margins: list[Margin] = []
    groups: list[Ints] = []
    texts = stored.items("cells")
    if len(texts) != len(schema):
        raise BadModel(f"the model has cells for {len(texts)} of {len(schema)} columns", hint="fit it again")
    for at, (column, text) in enumerate(zip(schema, texts, strict=True)):
        cells = Cells.from_json(str(text))
        counts, variances = (
            stored.array(f"column{at}.{part}", dtype=np.float64, shape=(cells.fine,)).astype(np.float64)
            for part in ("counts", "variances")
        )
        own = stored.array(f"column{at}.groups", dtype=np.int64, shape=(cells.fine,)).astype(np.int64)
        if cells.numeric != column.continuous or cells.name != column.name or own.min() < 0:
            raise BadModel(f"the cells of column {column.name!r} do not fit it", hint="fit it again")
        if not cells.numeric and cells.labels != column.categories:
            raise BadModel(f"the labels of column {column.name!r} are not its cells", hint="fit it again")
        margins.append(Margin(column, cells, counts, variances))
        groups.append(own)
    try:
        spent = tuple((str(what), float(rho)) for what, rho in cast("list[tuple[str, float]]", stored.items("spent")))
    except (TypeError, ValueError) as error:
        raise BadModel("the model's spending is damaged", hint="fit it again") from error
    sizes = tuple(int(own.max()) + 1 for own in groups)
    model = MarginalModel(
        schema,
        tuple(margins),
        tuple(groups),
        _joint_in(stored, sizes),
        int(stored.number("rows")),
        spent,
        stored.number("delta"),
        stored.state.get("private") is True,
    )
    return model, stored.hyperparameters()


def _joint_out(joint: Joint) -> tuple[Mapping[str, object], Mapping[str, np.ndarray]]:
    """Return a joint distribution as state and arrays."""
    if isinstance(joint, CliqueTree):
        state = {"cliques": [list(one) for one in joint.cliques], "parents": list(joint.parents)}
        return state, {f"clique{at}": table for at, table in enumerate(joint.tables)}
    return {"width": joint.inner.shape[1]}, {"inner": joint.inner, "outer": joint.outer}


def _joint_in(stored: Stored, sizes: tuple[int, ...]) -> Joint:
    """Read a joint distribution back. Raises BadModel on damage."""
    if "width" in stored.state:
        width, codes = int(stored.number("width")), sum(sizes)
        inner = stored.array("inner", dtype=np.float64, shape=(codes + len(sizes) + 1, width))
        outer = stored.array("outer", dtype=np.float64, shape=(width + 1, codes))
        return OrderFree(sizes, inner.astype(np.float64), outer.astype(np.float64))
    try:
        cliques = tuple(tuple(int(one) for one in cast("list[int]", clique)) for clique in stored.items("cliques"))
        parents = tuple(int(cast("int", one)) for one in stored.items("parents"))
    except (TypeError, ValueError) as error:
        raise BadModel("the model's cliques are damaged", hint="fit it again") from error
    if len(parents) != len(cliques) or sorted({at for one in cliques for at in one}) != list(range(len(sizes))):
        raise BadModel("the model's cliques do not cover its columns", hint="fit it again")
    tables = tuple(
        stored.array(f"clique{at}", dtype=np.float64, shape=tuple(sizes[one] for one in clique)).astype(np.float64)
        for at, clique in enumerate(cliques)
    )
    return CliqueTree(cliques, parents, tables)


def evidence(model: MarginalModel) -> str:
    """Return the spending as one JSON line, for a ledger or a card."""
    return json.dumps({"rho": sum(rho for _, rho in model.spent), "delta": model.delta, "private": model.private})
