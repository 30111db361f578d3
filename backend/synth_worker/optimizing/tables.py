"""Hold the parameters that are suggested for each method and size of table: the one source of every table of them.

``PARAMETER_TABLES.md`` and ``gesalp tables`` are written from this; the optimiser and the search read it. Rows are
those that a method learns from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from synth_worker.errors import BadInput, UnknownName
from synth_worker.generators.base import LENGTH, Value
from synth_worker.generators.registry import GENERATORS

TIER_ENDS = (1_000, 5_000, 20_001)
"""Rows at which a tier ends."""

TIER_NAMES = ("< 1,000", "1,000-4,999", "5,000-20,000", "> 20,000")

EPSILONS = (0.5, 1.0, 2.0, 5.0, 10.0)
"""The epsilons that the guide and the grid go through."""

Range = tuple[float, float]


@dataclass(frozen=True)
class Row:
    """Hold what one method is given in one tier: the settings to begin with, and the range a search stays in.

    What is not named keeps its default.
    """

    settings: Mapping[str, Value] = field(default_factory=dict[str, Value])
    ranges: Mapping[str, Range] = field(default_factory=dict[str, Range])


def _trained(n_iter: Range, batch_size: int, *, smallest: int | None = None) -> Row:
    return Row(
        {"n_iter": int(n_iter[0]), "batch_size": batch_size},
        {"n_iter": n_iter, "batch_size": (smallest or batch_size, batch_size)},
    )


DDPM = (
    _trained((200, 300), 64, smallest=32),
    _trained((300, 400), 128),
    _trained((400, 500), 256, smallest=128),
    _trained((500, 600), 256),
)
"""The specification's table for TabDDPM."""

ARN = (_trained((100, 300), 256, smallest=64),) * 4
ADVERSARIAL = (_trained((300, 600), 256, smallest=64),) * 4
CART = (Row({"privacy": 0.5, "predictors": 30}, {"privacy": (0.0, 1.0)}),) * 4
PRIVATE = (Row({"epsilon": 1.0}, {"epsilon": (EPSILONS[0], EPSILONS[-1])}),) * 4
"""No size of a table changes the epsilon that is suggested: how much a person may lose is nobody's to tune."""

TABLES: Mapping[str, tuple[Row, ...]] = {
    "gc": (Row(),) * 4,
    "cart": CART,
    "arn": ARN,
    "ddpm": DDPM,
    "tvae": ADVERSARIAL,
    "ctgan": ADVERSARIAL,
    "mst": PRIVATE,
    "aim": PRIVATE,
    "arn_dp": PRIVATE,
}
"""Each method's rows, one to a tier."""


PACES: Range = (0.3, 3.0)
"""What a search may multiply a network's learning rate by."""

OTHER_LENGTHS: Range = (100, 300)
"""Iterations for a method that no table names, which may stand in an attempt of another program."""


def tier_of(rows: int) -> int:
    """Return the tier of a table by its rows.

    >>> [tier_of(rows) for rows in (999, 1000, 4999, 5000, 20000, 20001)]
    [0, 1, 1, 2, 2, 3]
    """
    return sum(rows >= end for end in TIER_ENDS)


def row_of(method: str, rows: int) -> Row:
    """Return the row of a method for a table of so many rows. Raises UnknownName, BadInput (no rows)."""
    if method not in TABLES:
        raise UnknownName.of("method", method, TABLES)
    if rows < 1:
        raise BadInput(f"rows is {rows}; a table has at least 1")
    return TABLES[method][tier_of(rows)]


def length_range(method: str, rows: int) -> tuple[int, int]:
    """Return the least and the most iterations that are named for a method and so many rows.

    >>> length_range("ddpm", 1_000)
    (300, 400)
    """
    named = TABLES[method][tier_of(rows)].ranges if method in TABLES else {}
    low, high = named.get(LENGTH, OTHER_LENGTHS)
    return int(low), int(high)


def suggested(method: str, rows: int, columns: int | None = None) -> dict[str, Value]:
    """Return every hyper-parameter of a method that learns so many rows (of so many columns, where that is known).

    Never fewer iterations for more rows. Trees look at no more columns than there are before the last one: where the
    columns are not known they see to that themselves. Raises UnknownName for a method that does not exist, BadInput for
    a size that is none.

    >>> suggested("ddpm", 1_000, 20)["n_iter"], suggested("ddpm", 1_000, 20)["batch_size"]
    (300, 128)
    """
    own = row_of(method, rows).settings
    if columns is not None and columns < 1:
        raise BadInput(f"columns is {columns}; a table has at least 1")
    found = {**GENERATORS[method].defaults(), **own}
    if columns is not None and "predictors" in found:
        found["predictors"] = max(1, min(int(found["predictors"]), columns - 1))
    return found
