"""Say how long a training of a network should be for a number of rows: the specification's tiers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TIER_ENDS = (1_000, 5_000, 20_001)
"""Rows at which a tier ends: below 1,000; 1,000-4,999; 5,000-20,000; above."""


@dataclass(frozen=True)
class Tier:
    """Hold a network's parameters for one range of sizes: range of n_iter, and the batch size."""

    n_iter_low: int
    n_iter_high: int
    batch_size: int


DDPM = (Tier(200, 300, 64), Tier(300, 400, 128), Tier(400, 500, 256), Tier(500, 600, 256))
OTHER = (Tier(100, 300, 256),) * 4
TIERS: Mapping[str, tuple[Tier, ...]] = {"ddpm": DDPM}


def tier_of(rows: int) -> int:
    """Return the tier of a table by its rows.

    >>> [tier_of(rows) for rows in (999, 1000, 4999, 5000, 20000, 20001)]
    [0, 1, 1, 2, 2, 3]
    """
    return sum(rows >= end for end in TIER_ENDS)


def length_range(method: str, rows: int) -> tuple[int, int]:
    """Return the least and the most iterations that are named for a method and so many rows.

    >>> length_range("ddpm", 1_000)
    (300, 400)
    """
    tier = TIERS.get(method, OTHER)[tier_of(rows)]
    return tier.n_iter_low, tier.n_iter_high
