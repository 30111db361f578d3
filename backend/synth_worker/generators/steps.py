"""Translate what a user asks of a network into optimiser steps, by one rule for every method."""

from __future__ import annotations

import math

from synth_worker.generators.base import PACE, Hyperparameters

LEAST_PER_ITERATION = 5.0
ROOT_FACTOR = 0.2
FEWEST_BATCHES = 4
LEAST_BATCH = 16


def steps_of(n_iter: int, rows: int) -> int:
    """Return the optimiser steps of ``n_iter`` iterations on ``rows`` training rows.

    An iteration is max(5, 0.2 x root of the rows) steps: neither one step (302 rows would never be learnt) nor a pass
    over the rows (a long table would be learnt forever). On small tables the steps per row grow, and with them the risk
    of memorising; there the loss on held-out rows ends the training (``training``).

    >>> [steps_of(300, rows) for rows in (302, 3_500, 16_280, 1_000_000)]
    [1500, 3550, 7656, 60000]
    """
    return max(1, round(n_iter * max(LEAST_PER_ITERATION, ROOT_FACTOR * math.sqrt(rows))))


def batch_of(batch_size: int, rows: int) -> int:
    """Return the rows of a batch: what is asked, but at least four batches to a table.

    >>> [batch_of(256, rows) for rows in (40, 300, 5_000)]
    [16, 75, 256]
    """
    return min(rows, max(LEAST_BATCH, min(batch_size, rows // FEWEST_BATCHES)))


def pace(hyperparameters: Hyperparameters) -> float:
    """Return the factor of the learning rate.

    >>> pace({}), pace({"learning_rate_factor": 0.1})
    (1.0, 0.1)
    """
    return float(hyperparameters.get(PACE, 1.0))
