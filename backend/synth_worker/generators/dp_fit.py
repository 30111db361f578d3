"""Begin a fit of marginals under differential privacy: budget, domain, margins, and the coarse codes of pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from synth_worker.errors import BadInput, Cancelled
from synth_worker.generators.base import Hyperparameters, Knob, Progress, Signal, Value, Watch
from synth_worker.generators.dp_domain import check_domain, is_public, learn_domain
from synth_worker.generators.dp_margin import Margin, measure_margins
from synth_worker.generators.dp_spending import Spending
from synth_worker.privacy.accounting import rho_of
from synth_worker.privacy.cells import Cells
from synth_worker.privacy.noise import NoiseSource
from synth_worker.privacy.source import MarginalSource
from synth_worker.schema import Schema
from synth_worker.table import Floats, Ints

KNOBS = (
    Knob("epsilon", 1.0, low=0.001, high=100.0, private_end="low", about="what a unit may lose in all, with delta"),
    Knob("delta", 1e-6, low=1e-15, high=1e-2, private_end="low", about="choose it far below 1 / number of units"),
    Knob("domain", "estimate", choices=("estimate", "public-only"), about="whether unknown bounds are bought"),
    Knob("domain_share", 0.2, low=0.01, high=0.9, about="share of the budget for unknown bounds and labels"),
    Knob("margins_share", 0.35, low=0.05, high=0.9, about="share of the rest for the columns one by one"),
    Knob("max_rows_per_unit", 1, low=1, high=100_000, private_end="low", about="rows that one person may contribute"),
)  # fmt: skip
"""What ``mst`` and ``aim`` have in common."""

LOUD, FEWEST, MOST = 3.0, 4, 32
"""A code must hold so many deviations of a pair's noise; codes of a column at least and at most."""


@dataclass(frozen=True, eq=False)
class Start:
    """Hold what both methods measure first. ``sums`` and ``variances`` are those of the codes ``groups``."""

    schema: Schema
    margins: tuple[Margin, ...]
    groups: tuple[Ints, ...]
    coarse: dict[str, Cells]
    sums: tuple[Floats, ...]
    variances: tuple[Floats, ...]
    rows: float
    delta: float


def number(knobs: Hyperparameters, name: str) -> float:
    """Return a knob as a number."""
    value: Value = knobs[name]
    if isinstance(value, str):
        raise BadInput(f"{name!r} is {value!r}; it is a number")
    return float(value)


def budget(schema: Schema, knobs: Hyperparameters) -> tuple[Spending, float]:
    """Return what may be spent, and the delta kept for labels: half of it where some are not public."""
    check_domain(schema, public_only=knobs["domain"] == "public-only")
    delta = number(knobs, "delta")
    aside = delta / 2 if any(not is_public(one) and not one.continuous for one in schema) else 0.0
    return Spending(rho_of(number(knobs, "epsilon"), delta=delta - aside)), aside


def begin(
    source: MarginalSource,
    schema: Schema,
    *,
    knobs: Hyperparameters,
    spending: Spending,
    delta: float,
    noise: NoiseSource,
    pairs: Callable[[int], float],
) -> Start:
    """Learn the domain and the margins; ``pairs`` says how many pair tables share what is left, given the columns."""
    unknown = any(not is_public(column) for column in schema)
    paid = spending.left * number(knobs, "domain_share") if unknown else 0.0
    domain = learn_domain(source, schema, rho=paid, delta=delta, spending=spending, noise=noise)
    share = 1.0 if len(schema) == 1 else number(knobs, "margins_share")
    margins, rows = measure_margins(source, domain.columns, rho=spending.left * share, spending=spending, noise=noise)
    deviation = source.sensitivity * (max(pairs(len(schema)), 1.0) / (2 * max(spending.left, 1e-12))) ** 0.5
    codes = float(np.clip((rows / (LOUD * deviation)) ** 0.5, FEWEST, MOST))
    groups = tuple(margin.grouped(rows / codes, loud=LOUD * deviation) for margin in margins)
    return Start(
        schema.having([margin.column for margin in margins]),
        tuple(margins),
        groups,
        {one.column.name: one.cells.joined(own) for one, own in zip(margins, groups, strict=True)},
        tuple(
            np.bincount(own, weights=one.counts).astype(np.float64) for one, own in zip(margins, groups, strict=True)
        ),
        tuple(
            np.bincount(own, weights=one.variances).astype(np.float64) for one, own in zip(margins, groups, strict=True)
        ),
        rows,
        domain.delta,
    )


def step(watch: Watch, done: int, total: int, what: str) -> None:
    """Tell where a fit is. Raises Cancelled where it is told to stop: half a measurement is no model."""
    if watch(Progress(done, total, what), None) is Signal.STOP:
        raise Cancelled(f"stopped at: {what}")
