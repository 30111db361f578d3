"""Decide which association matrices to draw: real, synthetic, and the columns in which they differ most."""

from __future__ import annotations

import numpy as np

from synth_worker.metrics.association import Design, Layout
from synth_worker.report.parts import Associations
from synth_worker.table import Floats, Table, tamed

DRAWN = 20
"""So many columns are drawn; with more, a cell is too small to be seen on a telephone."""


def associations(real: Table, synthetic: Table) -> Associations | None:
    """Return both matrices over the columns that differ most, None where there are not two columns and some rows.

    Both tables stand under one domain. The measure is the one that ``corr_delta`` is the mean of.
    """
    names = real.schema.names
    if len(names) < 2 or not real.rows or not synthetic.rows:
        return None
    real, synthetic = tamed([real, synthetic])
    layout = Layout.of(real)
    left, right = (layout.associations(Design.of(layout, table).gram()) for table in (real, synthetic))
    for found in (left, right):
        np.fill_diagonal(found, 1.0)
    gap = np.abs(left - right)
    if len(names) > DRAWN:
        chosen = np.sort(np.argsort(-np.sort(gap, axis=1)[:, ::-1][:, :3].mean(axis=1), kind="stable")[:DRAWN])
    else:
        chosen = np.arange(len(names))
    return Associations(
        names=tuple(names[place] for place in chosen),
        real=_rows(left[np.ix_(chosen, chosen)]),
        synthetic=_rows(right[np.ix_(chosen, chosen)]),
        total=len(real.schema),
    )


def _rows(matrix: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in row) for row in np.clip(matrix, -1, 1))
