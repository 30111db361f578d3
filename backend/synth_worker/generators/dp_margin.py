"""Measure the columns of a table one by one under differential privacy: where their cells lie and what these hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from synth_worker.generators.dp_smoothing import LOUD, even_out, onto_simplex, reconcile
from synth_worker.generators.dp_spending import Spending
from synth_worker.privacy.cells import Cells, edges_between, slices
from synth_worker.privacy.mechanisms import gaussian_counts
from synth_worker.privacy.noise import NoiseSource
from synth_worker.privacy.source import MarginalSource
from synth_worker.schema import Column, Kind
from synth_worker.table import Floats, Ints

FIRST, PARTS, MOST_LEVELS = 64, 32, 5
"""Slices of the first look at a number; parts into which a heavy one is divided; looks at most."""

HEAVY = 0.02
"""Divide a slice that seems to hold more than this share of all rows."""

DAY = 86_400.0
MANY_VALUES = 1e18
"""Stands for the number of values of a real number."""


@dataclass(frozen=True, eq=False)
class Margin:
    """Hold what was learnt of one column: its cells, noised and mended counts, their variances, shape (fine,)."""

    column: Column
    cells: Cells
    counts: Floats
    variances: Floats

    def grouped(self, target: float, *, loud: float) -> Ints:
        """Return the code of each cell in a division of the column into codes of about ``target`` rows, from 0 on.

        Slices are joined with their neighbours; labels and NULL that hold fewer than ``loud`` rows (labels: or a fifth
        of the target) share one code.
        """
        null = self.cells.null
        groups = np.zeros(len(self.counts), dtype=np.int64)
        if self.cells.numeric:
            groups[:null] = _runs(self.counts[:null], target)
            weights = np.bincount(groups[:null], weights=self.counts[:null])
            # A NULL too rare for a code of its own goes with the heaviest slices; drawing tells them apart again.
            groups[null] = len(weights) if self.counts[null] >= loud else int(weights.argmax())
            return groups
        rare = self.counts < max(loud, target / 5)
        own = int((~rare).sum())
        groups[~rare] = np.arange(own)
        rest = own if self.counts[rare].sum() > 0 or not own else int(self.counts[~rare].argmax())
        groups[rare] = rest
        groups[len(self.cells.labels)] = groups[null]  # a label that is not listed is drawn as missing
        return groups


def _runs(counts: Floats, target: float) -> Ints:
    """Return a code per slice, in order: a heavy slice has its own, light ones are joined up to the target."""
    codes = np.zeros(len(counts), dtype=np.int64)
    code, held = 0, 0.0
    for at, count in enumerate(counts):
        if at and held > 0 and (held + count > 1.25 * target or held >= target):
            code, held = code + 1, 0.0
        codes[at] = code
        held += count
    if code and held < target / 3:
        codes[codes == code] = code - 1
    return codes


def step_of(column: Column) -> float:
    """Return what the values of a column are multiples of: part of how it is written, not of what it holds.

    >>> step_of(Column("n", Kind.NUMERIC, dtype="int64")), step_of(Column("d", Kind.DATETIME, dtype="date"))
    (1.0, 86400.0)
    """
    if column.kind is Kind.DATETIME:
        return DAY if column.dtype == "date" else 1.0
    if column.public and column.decimals is not None:
        return float(10.0**-column.decimals)
    return 1.0 if column.dtype == "int64" else 0.0


def levels_of(column: Column) -> int:
    """Return how many times a column is looked at, at most: it follows from its public bounds."""
    if not column.continuous or column.low is None or column.high is None:
        return 1
    step = step_of(column)
    values = (column.high - column.low) / step + 1 if step else MANY_VALUES
    return min(1 + max(0, math.ceil(math.log(max(values / FIRST, 1.0), PARTS) - 0.05)), MOST_LEVELS)


def first_cells(column: Column) -> Cells:
    """Return the cells of the first look: labels, or slices between the bounds."""
    if not column.continuous:
        return Cells(column.name, labels=column.categories)
    if column.low is None or column.high is None:
        return Cells(column.name, edges=(-1.0, 1.0))
    values = (column.high - column.low) / step_of(column) if step_of(column) else MANY_VALUES
    # A few more slices than usual show every value of an age or of hours in a week.
    most = int(values) + 1 if values < 2 * FIRST else FIRST
    return slices(column.name, low=column.low, high=column.high, step=step_of(column), most=most)


def measure_margins(
    source: MarginalSource, columns: Sequence[Column], *, rho: float, spending: Spending, noise: NoiseSource
) -> tuple[list[Margin], float]:
    """Measure every column for at most ``rho`` of zCDP; return the margins and the estimated number of rows.

    Numbers are looked at again where a slice is heavy: a point mass or a dense part of a long range. Each look is a
    count over one division of the column, noised for the source's sensitivity. What to look at again follows from
    noised counts alone.
    """
    looks = sum(levels_of(column) for column in columns)
    share, spread = rho / looks, source.sensitivity**2 * looks / (2 * rho)
    found: dict[str, list[tuple[Cells, Floats]]] = {column.name: [] for column in columns}
    active = {column.name: first_cells(column) for column in columns}
    total = 0.0
    while active:
        exact = source.counts(active, [(name,) for name in active])
        for (name, cells), counts in zip(list(active.items()), exact, strict=True):
            paid = spending.take(f"counts of {name}", share)
            noised = gaussian_counts(counts, rho=paid, sensitivity=source.sensitivity, noise=noise)
            found[name].append((cells, np.asarray(noised, dtype=np.float64)))
        total = total or _rows([one[0][1] for one in found.values()])
        active = {
            column.name: finer
            for column in columns
            if column.name in active and len(found[column.name]) < levels_of(column)
            for finer in [_divided(column, *found[column.name][-1], least=max(HEAVY * total, 4 * spread**0.5))]
            if finer is not None
        }
    return [_margin(column, found[column.name], spread=spread, total=total) for column in columns], total


def _rows(counts: Sequence[Floats]) -> float:
    """Return the number of rows from the columns' noised counts, each weighted by its precision; at least 1."""
    weights = np.array([1 / len(one) for one in counts])
    return max(1.0, float(np.array([one.sum() for one in counts]) @ weights / weights.sum()))


def _divided(column: Column, cells: Cells, counts: Floats, *, least: float) -> Cells | None:
    """Return finer cells, those that hold ``least`` rows divided; None where there is nothing to divide."""
    step = step_of(column)
    edges = np.array(cells.edges)
    widths = np.diff(edges)
    finest = 1.5 * step if step else 1e-9 * max(float(np.abs(edges).max()), 1e-300)
    heavy = np.flatnonzero((counts[: cells.null] >= least) & (widths > finest))
    if not len(heavy):
        return None
    own = [edges]
    for at in heavy:
        if step:
            low, high = edges[at] + step / 2, edges[at + 1] - step / 2
            own.append(np.array(edges_between(low, high, step=step, most=PARTS)))
        else:
            own.append(np.linspace(edges[at], edges[at + 1], PARTS + 1))
    merged = np.sort(np.concatenate(own))
    # Inner edges computed anew may differ from the old ones by a rounding: keep one of each.
    apart = np.concatenate([[True], np.diff(merged) > (step / 4 if step else finest / PARTS / 4)])
    return replace(cells, edges=tuple(float(one) for one in merged[apart]))


def _margin(column: Column, looks: Sequence[tuple[Cells, Floats]], *, spread: float, total: float) -> Margin:
    cells, counts = looks[-1]
    variances = np.full(len(counts), spread)
    for coarser, sums in reversed(looks[:-1]):
        centres = (np.array(cells.edges[1:]) + np.array(cells.edges[:-1])) / 2
        groups = coarser.codes_of_numbers(np.append(centres, np.nan))
        counts, variances = reconcile(counts, variances, groups=groups, sums=sums, variance=spread)
    if cells.numeric:
        counts = np.append(even_out(counts[:-1], variances[:-1], np.diff(cells.edges)), counts[-1])
    null, other = cells.null, len(cells.labels)
    if not cells.numeric:
        # Rows of a label that is not listed are told to be missing, not handed to the labels that are.
        counts = counts.copy()
        counts[null] += counts[other]
    parts = 1 if cells.numeric else 2
    if (column.public and not column.nullable) or counts[null] < LOUD * (parts * spread) ** 0.5:
        counts[null] = 0.0
    if not cells.numeric:
        counts[other] = 0.0
    allowed = np.ones(len(counts), dtype=bool)
    allowed[null] = counts[null] > 0
    if not cells.numeric:
        allowed[other] = False
    if not allowed.any():
        allowed[null] = True
    mended = np.zeros(len(counts))
    mended[allowed] = onto_simplex(counts[allowed], total)
    return Margin(column, cells, mended, variances)
