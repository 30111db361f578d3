"""Say how long a training of a network should be for a number of rows: the tiers of ``tables``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from synth_worker.generators.base import LENGTH
from synth_worker.optimizing.tables import TABLES, TIER_ENDS, Row, tier_of

__all__ = ["OTHER", "TIERS", "TIER_ENDS", "Tier", "length_range", "tier_of"]


@dataclass(frozen=True)
class Tier:
    """Hold a network's parameters for one range of sizes: range of n_iter, and the batch size."""

    n_iter_low: int
    n_iter_high: int
    batch_size: int


def _tier(row: Row) -> Tier:
    low, high = row.ranges[LENGTH]
    return Tier(int(low), int(high), int(row.settings["batch_size"]))


TIERS: Mapping[str, tuple[Tier, ...]] = {
    name: tuple(_tier(row) for row in rows) for name, rows in TABLES.items() if LENGTH in rows[0].ranges
}
OTHER = (Tier(100, 300, 256),) * 4
"""For a method that no table names."""


def length_range(method: str, rows: int) -> tuple[int, int]:
    """Return the least and the most iterations that are named for a method and so many rows.

    >>> length_range("ddpm", 1_000)
    (300, 400)
    """
    tier = TIERS.get(method, OTHER)[tier_of(rows)]
    return tier.n_iter_low, tier.n_iter_high
