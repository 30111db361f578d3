"""Count copies: synthetic rows that equal a training row, beyond what fresh real rows show by chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from synth_worker.distinct import among, count_distinct
from synth_worker.errors import BadInput
from synth_worker.metrics.base import Better, Comparison, Family, Metric, Score, Scores
from synth_worker.metrics.challenge import LEAST_UNIQUE, Contents, contents, unit_numbers
from synth_worker.metrics.confidence import clustered_variance, normal_bounds
from synth_worker.metrics.evidence import Draw, draw_p_value, share_difference, upper_tail
from synth_worker.table import Bools, Floats, Ints


@dataclass(frozen=True, eq=False)
class CopyCounts:
    """Hold which real records stand in one synthetic table, unseen ones beside those learnt from.

    ``train_present`` and ``held_present`` are over the attacked records (pool-unique ones, or all where ``diluted``);
    ``train_ids`` name the former across folds; ``ratio`` is training rows per synthetic row.
    """

    train_present: Bools
    held_present: Bools
    ratio: float
    train_ids: Ints | None = None
    unique_share: float = math.nan
    diluted: bool = False


def count_copies(
    comparison: Comparison, *, member_ids: Ints | None = None, found: Contents | None = None
) -> CopyCounts:
    """Look up every pool-unique training and held-out record in the synthetic table.

    ``member_ids`` (train rows,) number the records across folds. Where fewer than ``LEAST_UNIQUE`` records of a side
    are pool-unique all are looked up: under no leak that is a fair comparison too.
    """
    if comparison.synthetic.rows == 0:
        raise BadInput("the synthetic table is empty")
    found = comparison.once(contents) if found is None else found
    diluted = min(int(found.train_unique.sum()), int(found.held_unique.sum())) < LEAST_UNIQUE
    train = np.ones(len(found.train), dtype=np.bool_) if diluted else found.train_unique
    held = np.ones(len(found.held), dtype=np.bool_) if diluted else found.held_unique
    return CopyCounts(
        train_present=among(found.train[train], found.synthetic),
        held_present=among(found.held[held], found.synthetic),
        ratio=len(found.train) / len(found.synthetic),
        train_ids=None if member_ids is None else member_ids[train],
        unique_share=found.unique_share,
        diluted=diluted,
    )


def score_copies(counts: Sequence[CopyCounts], *, alpha: float = 0.05) -> dict[str, Score]:
    """Return ``copy_excess`` from the counts of one or more folds.

    A record counts in every fold in which it was learnt from, for the interval as one record all the same. The shares
    of the folds are weighted as Mantel and Haenszel do (1959), the test is exact within folds (Fisher).
    """
    names: list[Ints] = []
    unnamed = 0
    draws: list[Draw] = []
    shares: list[tuple[float, float, float, float]] = []  # training share, held-out share, weight, ratio
    unheld = 0
    for fold in counts:
        present = fold.train_present
        learnt, unseen = len(present), len(fold.held_present)
        if learnt == 0 or unseen == 0:
            continue
        hits, others = int(present.sum()), int(fold.held_present.sum())
        draws.append(Draw(total=learnt + unseen, marked=hits + others, drawn=learnt, hits=hits))
        shares.append((hits / learnt, others / unseen, learnt * unseen / (learnt + unseen), fold.ratio))
        if fold.train_ids is None:
            unnamed += learnt
        else:
            names.append(fold.train_ids)
        unheld += unseen
    if not shares:
        return {"copy_excess": Score.unmeasured("there are no training records or no held-out records to compare")}
    # Records without names are of this fold alone.
    records = unnamed + (count_distinct(np.concatenate(names)) if names else 0)
    one, other, weight, ratios = (np.array(part) for part in zip(*shares, strict=True))
    weight = weight / weight.sum()
    ratio = float(ratios @ weight)
    trained, held = float(one @ weight), float(other @ weight)
    difference = share_difference(trained, records, held, unheld, alpha=alpha)
    score = Score(
        ratio * difference.value,
        low=ratio * difference.low,
        high=ratio * difference.high,
        upper=ratio * difference.upper,
        p_value=draw_p_value(draws),
        floor=0.0,
        rows=unheld,
        detail={
            "train": trained,
            "real": held,
            "train_records": float(records),
            "held_records": float(unheld),
            "pool_unique_share": float(np.mean([fold.unique_share for fold in counts])),
            "diluted": float(any(fold.diluted for fold in counts)),
        },
    )
    return {"copy_excess": score}


def score_duplicates(comparison: Comparison, *, found: Contents | None = None) -> dict[str, Score]:
    """Return ``dup_rate``, the excess share of synthetic rows equal to a training row, and ``dup_rate_raw``.

    What a fresh row would show is counted over all real rows, each left out in turn: the chance that a training set
    of the same size, drawn from the others, holds its equal. With units a fresh row is a row of a fresh unit.
    """
    if comparison.synthetic.rows == 0:
        raise BadInput("the synthetic table is empty")
    found = comparison.once(contents) if found is None else found
    tables = (comparison.train, comparison.holdout) + (() if comparison.reference is None else (comparison.reference,))
    units = unit_numbers(*tables)
    real = np.concatenate([found.train, found.held])
    trained = len(found.train) if units is None else len(np.unique(units[: len(found.train)]))
    chance = _fresh_chance(real, units, trained=trained)
    raw = float(among(found.synthetic, found.train).mean())
    fresh = float(chance.mean())
    # The share among fresh rows of *this* training set varies around the mean over training sets about as much as a
    # share of as many independent rows: counting it so keeps the test honest on tables of few distinct rows.
    blank = 1.0 / len(found.synthetic)
    spread = max(fresh * (1 - fresh), blank * (1 - blank))
    error = math.sqrt(
        spread / len(found.synthetic) + spread / trained + clustered_variance((chance - fresh) / len(chance), units)
    )
    own = math.sqrt(error**2 + max(raw * (1 - raw) - spread, 0.0) / len(found.synthetic))
    bounds = normal_bounds(raw - fresh, own, alpha=comparison.alpha, least=-1.0)
    plain = normal_bounds(raw, math.sqrt(raw * (1 - raw) / len(found.synthetic)), alpha=comparison.alpha)
    return {
        "dup_rate": Score(
            raw - fresh,
            low=bounds.low,
            high=bounds.high,
            upper=bounds.upper,
            p_value=upper_tail((raw - fresh) / error),
            floor=0.0,
            rows=len(real),
            detail={"raw": raw, "real": fresh, "pool_unique_share": found.unique_share},
        ),
        "dup_rate_raw": Score(raw, plain.low, plain.high, plain.upper, floor=fresh, rows=len(found.synthetic)),
    }


def _fresh_chance(real: Ints, units: Ints | None, *, trained: int) -> Floats:
    """Return for each real row the chance that a training set of ``trained`` of the other units holds its equal."""
    _, content = np.unique(real, return_inverse=True)
    if units is None:
        others = np.bincount(content)[content] - 1
        total = len(real)
    else:
        # A person's own repeated rows are no evidence of what a fresh person shows.
        pairs = np.unique(np.stack([content, units]), axis=1)
        others = np.bincount(pairs[0])[content] - 1
        total = int(units.max()) + 1
    most = int(others.max(initial=0))
    chance = np.array([_drawn_at_all(one, trained, total - 1) for one in range(most + 1)])
    return chance[others]


def _drawn_at_all(marked: int, drawn: int, total: int) -> float:
    """Return the chance that ``drawn`` of ``total`` things, ``marked`` of them marked, hold a marked one."""
    if drawn + marked > total:
        return 1.0 if marked else 0.0
    none = gammaln(total - marked + 1) - gammaln(total - marked - drawn + 1)
    every = gammaln(total + 1) - gammaln(total - drawn + 1)
    return float(-np.expm1(none - every))


def compute(comparison: Comparison) -> Scores:
    """Hash the rows once and count both."""
    found = comparison.once(contents)
    return {
        **score_duplicates(comparison, found=found),
        **score_copies([count_copies(comparison, found=found)], alpha=comparison.alpha),
    }


METRICS = (
    Metric(
        "dup_rate",
        Better.LOWER,
        "share of synthetic rows equal to a training row, minus what a fresh real row shows",
        group="privacy",
    ),
    Metric("dup_rate_raw", Better.LOWER, "share of synthetic rows equal to a training row", group="privacy"),
    Metric(
        "copy_excess",
        Better.LOWER,
        "pool-unique training records found in the synthetic table, beyond held-out ones, per synthetic row",
        group="privacy",
    ),
)

FAMILY = Family("duplicates", METRICS, compute)
