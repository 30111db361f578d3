"""Find rows that two tables share: a holdout that repeats training rows cannot show what a method copied."""

from __future__ import annotations

import numpy as np

from synth_worker.distinct import among
from synth_worker.errors import BadInput
from synth_worker.table import Table, row_hashes

MOST_BEYOND_CHANCE = 0.5
"""A holdout of which more than this, beyond what repeats inside the training table, was learnt from is refused."""

NOTED_BEYOND_CHANCE = 0.02


def repeated_share(table: Table) -> float:
    """Return the share of rows that equal another row of the table in all modelled columns."""
    _, place, counts = np.unique(row_hashes(table), return_inverse=True, return_counts=True)
    return float(np.mean(counts[place] > 1)) if table.rows else 0.0


def check_apart(train: Table, holdout: Table) -> tuple[str, ...]:
    """Return what the user should know of holdout rows that also stand in train; tables of one schema.

    Rows of few columns repeat by chance, about as often as they do inside ``train``. Raises BadInput where most of the
    holdout is beyond that.
    """
    shared = int(among(*(row_hashes(one.modelled()).view(np.int64) for one in (holdout, train))).sum())
    beyond = shared / max(holdout.rows, 1) - repeated_share(train.modelled())
    if beyond <= NOTED_BEYOND_CHANCE:
        return ()
    what = f"{shared:,} of {holdout.rows:,} holdout rows also stand in train"
    if beyond > MOST_BEYOND_CHANCE:
        raise BadInput(what, hint="give real rows that the synthetic table was not made from")
    return (f"{what}: they count as not learnt although they were, so leaks show weaker than they are",)
