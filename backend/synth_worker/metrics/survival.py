"""Order people by risk: Harrell's C, and the outcome that trees are taught for it."""

from __future__ import annotations

import numpy as np

from synth_worker.table import Bools, Floats, Ints

BLOCK = 1_000


def harrell_c(times: Floats, events: Bools, risk: Floats) -> tuple[float, Floats]:
    """Return Harrell's C and what each row adds to it, shape (rows,), centred.

    A pair is usable if the shorter time is an event (or times are equal and only one is an event); it is concordant
    if that row has the higher risk, ties of risk count one half. NaN without a usable pair. O(n^2) in blocks.
    Source: Harrell et al. 1982; the parts are the linear terms of the ratio of two U-statistics.

    >>> c, _ = harrell_c(np.array([1.0, 2.0, 3.0]), np.array([True, True, False]), np.array([3.0, 2.0, 1.0]))
    >>> c
    1.0
    """
    good, usable = np.zeros(len(times)), np.zeros(len(times))
    for start in range(0, len(times), BLOCK):
        rows = slice(start, start + BLOCK)
        first = (times[rows, None] < times) | ((times[rows, None] == times) & ~events)
        first &= events[rows, None]
        won = first * ((risk[rows, None] > risk) + 0.5 * (risk[rows, None] == risk))
        usable[rows] += first.sum(axis=1)
        usable += first.sum(axis=0)
        good[rows] += won.sum(axis=1)
        good += won.sum(axis=0)
    pairs = usable.sum() / 2
    if pairs == 0:
        return float("nan"), np.zeros(len(times))
    value = float(good.sum() / 2 / pairs)
    return value, (good - value * usable) / pairs


def martingale_residuals(times: Floats, events: Bools) -> Floats:
    """Return the event minus the Nelson-Aalen hazard until its time, shape (rows,): high for those who fall early.

    Its mean given the features orders people as their risk does (Therneau, Grambsch & Fleming 1990), so that any
    regression can learn it.

    >>> martingale_residuals(np.array([1.0, 2.0]), np.array([True, True]))
    array([ 0.5, -0.5])
    """
    own, place, counts = np.unique(times, return_inverse=True, return_counts=True)
    deaths = np.bincount(place, weights=events, minlength=len(own))
    at_risk: Ints = np.cumsum(counts[::-1])[::-1]
    return events - np.cumsum(deaths / at_risk)[place]
