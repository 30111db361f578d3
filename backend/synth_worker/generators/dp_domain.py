"""Say what a column may hold without looking, or pay for a look: public bounds and labels, or private estimates."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from synth_worker.errors import BadInput
from synth_worker.generators.dp_margin import step_of
from synth_worker.generators.dp_spending import Spending
from synth_worker.privacy.cells import magnitudes
from synth_worker.privacy.mechanisms import gaussian_counts, stable_histogram
from synth_worker.privacy.noise import NoiseSource
from synth_worker.privacy.source import MarginalSource
from synth_worker.schema import Column, Schema
from synth_worker.table import Floats

CLEAR = 5.0
"""Standard deviations that a magnitude's count must reach: of 168 empty ones, one in 20,000 columns has such a one."""


@dataclass(frozen=True)
class Domain:
    """Hold the columns with public or paid-for bounds and labels, and the delta that labels cost."""

    columns: tuple[Column, ...]
    delta: float


def is_public(column: Column) -> bool:
    """Tell whether bounds or labels were declared, and not read off the data."""
    if column.continuous:
        return column.public and column.low is not None and column.high is not None
    return column.public and bool(column.categories)


def bare(column: Column) -> Column:
    """Return a column without anything that was read off data: name, kind, dtype and way of writing stay.

    >>> from synth_worker.schema import Kind
    >>> bare(Column("x", Kind.NUMERIC, dtype="float64", low=1.5, high=99.0, decimals=2, nullable=True)).low is None
    True
    """
    return replace(
        column,
        nullable=True,
        low=None,
        high=None,
        categories=(),
        decimals=0 if column.dtype == "int64" else None,
        fixed_decimals=False,
        missing_token="",
        public=False,
        note="",
    )


def check_domain(schema: Schema, *, public_only: bool) -> None:
    """Refuse columns whose domain is not public where only public ones are allowed. Raises BadInput."""
    private = [column.name for column in schema if not is_public(column)]
    if public_only and private:
        raise BadInput(
            f"column {private[0]!r} has no public bounds or labels ({len(private)} such columns)",
            hint='state "low" and "high", or "categories", and "public": true in the schema, or domain=estimate',
        )


def learn_domain(
    source: MarginalSource,
    schema: Schema,
    *,
    rho: float,
    delta: float,
    spending: Spending,
    noise: NoiseSource,
) -> Domain:
    """Estimate bounds and labels of the columns that have no public ones, for ``rho`` and ``delta`` in all.

    Bounds: the powers of two between which noised counts are clear of the noise. Labels: a stable histogram.
    """
    unknown = [column for column in schema if not is_public(column)]
    found: dict[str, Column] = {}
    labelled = [column for column in unknown if not column.continuous]
    for column in unknown:
        share = spending.take(f"domain of {column.name}", rho / len(unknown))
        if column.continuous:
            low, high = _bounds(source, column, rho=share, noise=noise)
            found[column.name] = replace(bare(column), low=low, high=high)
        else:
            kept = stable_histogram(
                source.label_counts(column.name),
                rho=share,
                delta=delta / len(labelled),
                most_rows=source.sensitivity,
                noise=noise,
            )
            found[column.name] = replace(bare(column), categories=tuple(sorted(kept)))
    return Domain(tuple(found.get(column.name, column) for column in schema), delta if labelled else 0.0)


def _bounds(source: MarginalSource, column: Column, *, rho: float, noise: NoiseSource) -> tuple[float, float]:
    cells = magnitudes(column.name)
    (exact,) = source.counts({column.name: cells}, [(column.name,)])
    noised = np.asarray(gaussian_counts(exact, rho=rho, sensitivity=source.sensitivity, noise=noise), dtype=np.float64)
    clear = CLEAR * source.sensitivity / (2 * rho) ** 0.5
    return bounds_of(noised[: cells.null], np.array(cells.edges), least=clear, step=step_of(bare(column)))


def bounds_of(counts: Floats, edges: Floats, *, least: float, step: float) -> tuple[float, float]:
    """Return the outer edges of the cells that hold ``least``, moved inside to a multiple of ``step``; 0 and 1 without.

    >>> bounds_of(np.array([0.0, 90.0, 80.0, 1.0]), np.array([-1.0, 0.0, 1.0, 2.0, 4.0]), least=9.0, step=1.0)
    (0.0, 2.0)
    """
    held = np.flatnonzero(counts >= least)
    if not len(held):
        return 0.0, 1.0
    low, high = float(edges[held[0]]), float(edges[held[-1] + 1])
    if step:
        low, high = float(np.ceil(low / step) * step), float(np.floor(high / step) * step)
    return (low, high) if low < high else (low, low + (step or 1.0))
