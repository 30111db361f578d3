"""Compare columns one at a time from counts of their values alone: the figures of tables that are too long to hold.

Values, intervals and floors are those of ``marginals`` and ``masses`` for rows that are units of their own, computed on
all rows; where those draw rows to a common size, here counts are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from synth_worker.longfile import Counted, LongFile
from synth_worker.metrics.base import Score, Scores
from synth_worker.metrics.confidence import TWO_SIDED, ks_error, normal_bounds, wilson_bounds
from synth_worker.metrics.floors import DRAWS, with_floor
from synth_worker.metrics.marginals import FEW_FINER, RIGHT, ROUNDING, Wrong, new_labels
from synth_worker.metrics.masses import EXPECTED, MASS, RARE
from synth_worker.parsing import rounded
from synth_worker.schema import Column, Kind
from synth_worker.seeds import Streams
from synth_worker.table import Bools, Floats, Ints


@dataclass(frozen=True, eq=False)
class Long:
    """Hold the three files of a comparison under one domain."""

    train: LongFile
    holdout: LongFile
    synthetic: LongFile
    streams: Streams
    alpha: float = 0.05

    @property
    def size(self) -> int:
        """Return the rows at which held-out and synthetic rows are equally many."""
        return min(self.holdout.rows, self.synthetic.rows)


@dataclass(frozen=True, eq=False)
class Counts:
    """Hold one column's counts over the values of all three tables, shape (values,), absent rows last.

    ``holdouts`` and ``synthetics`` are those of equal size: the smaller table as it is, the larger drawn down to it.
    """

    column: Column
    values: Floats
    train: Ints
    holdout: Ints
    synthetic: Ints
    holdouts: tuple[Ints, ...]
    synthetics: tuple[Ints, ...]

    @classmethod
    def of(cls, column: Column, long: Long) -> Counts:
        """Count one column in all three tables."""
        own = [file.counted[column.name] for file in (long.train, long.holdout, long.synthetic)]
        values = own[0].values
        if column.continuous:
            values = np.unique(np.concatenate([one.values for one in own]))
        train, holdout, synthetic = (_spread(one, values) for one in own)

        def drawn(counts: Ints, label: str) -> tuple[Ints, ...]:
            if counts.sum() == long.size:
                return (counts,)
            rngs = [long.streams.rng("floor", label, column.name, draw) for draw in range(DRAWS)]
            return tuple(rng.multivariate_hypergeometric(counts, long.size, method="marginals") for rng in rngs)

        return cls(column, values, train, holdout, synthetic, drawn(holdout, "holdout"), drawn(synthetic, "synthetic"))

    def distance(self, one: Ints, other: Ints) -> float:
        """Return KS or total variation of two counts; a column without any value is as far as can be."""
        shares = _shares(one), _shares(other)
        if shares[0] is None or shares[1] is None:
            return 1.0
        gaps = shares[0] - shares[1]
        if self.column.continuous:
            return float(np.abs(np.cumsum(gaps)).max(initial=0.0))
        return float(np.abs(gaps).sum() / 2)

    def error(self) -> float:
        """Return the standard error of the distance of train and synthetic, all rows independent."""
        one, other = _shares(self.train), _shares(self.synthetic)
        if one is None or other is None:
            return 0.0
        rows, others = int(self.train[:-1].sum()), int(self.synthetic[:-1].sum())
        if self.column.continuous:
            below, above = np.cumsum(one), np.cumsum(other)
            at = int(np.argmax(np.abs(below - above)))
            pooled = float((below[at] * rows + above[at] * others) / (rows + others))
            return ks_error(min(max(pooled, 0.0), 1.0), rows=rows, others=others)
        side = np.sign(one - other) / 2
        variance = 0.0
        for share, count in ((one, rows), (other, others)):
            spread = float(share @ (side - share @ side) ** 2)
            # One row says nothing of the spread: then the largest that parts within 1/2 can have.
            variance += spread / (count - 1) if count > 1 else 0.25
        return math.sqrt(variance)


def margin_scores(long: Long, *, broken: Mapping[str, str]) -> Scores:
    """Return every figure that looks at one column at a time.

    Rows are not held, so nobody knows which columns move together: the error of a mean is the mean of the columns'
    errors, which is the most that it can be. With so many rows either is next to nothing.
    """
    distances: dict[str, tuple[list[float], list[float], list[float], list[float], dict[str, float]]] = {
        name: ([], [], [], [], {}) for name in ("ks_mean", "tvd_mean")
    }
    missing = _Missing(long)
    ranges, forms, spikes, rare = _Ranges(), _Forms(long, broken), _Spikes(long), _Rare(long)
    for column in long.train.schema:
        counts = Counts.of(column, long)
        missing.add(counts)
        forms.add(counts)
        if column.continuous:
            ranges.add(counts)
            spikes.add(counts)
        else:
            rare.add(counts)
        if not counts.train[:-1].any():
            continue
        values, errors, real, made, detail = distances["ks_mean" if column.continuous else "tvd_mean"]
        values.append(counts.distance(counts.train, counts.synthetic))
        errors.append(counts.error())
        detail[f"column:{column.name}"] = values[-1]
        real += [counts.distance(counts.train, one) for one in counts.holdouts]
        made += [counts.distance(counts.train, one) for one in counts.synthetics]
    found: dict[str, Score] = {}
    for name, (values, errors, real, made, detail) in distances.items():
        if not values:
            kind = "numeric or datetime" if name == "ks_mean" else "categorical"
            found[name] = Score.not_applicable(f"the table has no {kind} column with a value")
            continue
        value = float(np.mean(values))
        bounds = normal_bounds(value, float(np.mean(errors)), alpha=long.alpha)
        score = Score(value, bounds.low, bounds.high, bounds.upper, rows=long.train.rows, detail=detail)
        found[name] = with_floor(score, floor=float(np.mean(real)), at_floor_size=float(np.mean(made)), size=long.size)
    return {
        **found,
        "missing_delta": missing.score(),
        "wrong_dtype": forms.score(),
        "out_of_range": ranges.score(long),
        "spike_delta": spikes.score(),
        "rare_coverage": rare.score(),
    }


class _Missing:
    def __init__(self, long: Long) -> None:
        self.long = long
        self.names: list[str] = []
        self.shares: list[tuple[float, float]] = []
        self.sized: tuple[list[list[float]], list[list[float]]] = ([], [])

    def add(self, counts: Counts) -> None:
        self.names.append(counts.column.name)
        real = float(counts.train[-1] / counts.train.sum())
        self.shares.append((real, float(counts.synthetic[-1] / counts.synthetic.sum())))
        for kept, tables in zip(self.sized, (counts.holdouts, counts.synthetics), strict=True):
            kept.append([abs(real - float(one[-1] / one.sum())) for one in tables])

    def score(self) -> Score:
        rows, others = self.long.train.rows, self.long.synthetic.rows
        gaps = np.array([abs(one - other) for one, other in self.shares])
        pooled = [(one * rows + other * others) / (rows + others) for one, other in self.shares]
        errors = np.array([ks_error(share, rows=rows, others=others) for share in pooled])
        at = int(np.argmax(gaps))
        score = Score(
            float(gaps[at]),
            max(float(gaps[at] - TWO_SIDED * errors[at]), 0.0),
            min(float((gaps + TWO_SIDED * errors).max()), 1.0),
            min(float((gaps + float(ndtri(1 - self.long.alpha)) * errors).max()), 1.0),
            rows=rows,
            detail={f"column:{name}": float(gap) for name, gap in zip(self.names, gaps, strict=True) if gap > 0},
        )
        real, made = (float(np.array(one).max(axis=0).mean()) for one in self.sized)
        return with_floor(score, floor=real, at_floor_size=made, size=self.long.size)


class _Ranges:
    def __init__(self) -> None:
        self.outside = {"holdout": 0, "synthetic": 0}
        self.seen = {"holdout": 0, "synthetic": 0}
        self.columns: dict[str, float] = {}

    def add(self, counts: Counts) -> None:
        known = np.flatnonzero(counts.train[:-1])
        if not len(known):
            return
        low, high = counts.values[known[0]], counts.values[known[-1]]
        beyond = (counts.values < low) | (counts.values > high)
        for which, own in (("holdout", counts.holdout[:-1]), ("synthetic", counts.synthetic[:-1])):
            count, present = int(own[beyond].sum()), int(own.sum())
            self.outside[which] += count
            self.seen[which] += present
            if count and which == "synthetic":
                self.columns[f"column:{counts.column.name}"] = count / present

    def score(self, long: Long) -> Score:
        if not long.train.schema.only(Kind.NUMERIC, Kind.DATETIME):
            return Score.not_applicable("the table has no numeric or datetime column")
        count, seen = self.outside["synthetic"], self.seen["synthetic"]
        if seen == 0:
            return Score.unmeasured("the synthetic table has no number")
        bounds = wilson_bounds(count, seen, alpha=long.alpha)
        real = self.seen["holdout"]
        return Score(
            count / seen,
            bounds.low,
            bounds.high,
            bounds.upper,
            floor=self.outside["holdout"] / real if real else None,
            rows=long.synthetic.rows,
            detail={"count": float(count), **self.columns},
        )


class _Forms:
    def __init__(self, long: Long, broken: Mapping[str, str]) -> None:
        self.long, self.broken = long, broken
        self.detail = {f"column:{name}": 1.0 for name in broken}
        self.reasons = [f"{name}: {reason}" for name, reason in broken.items()]
        self.floor = 0
        self.labels = sum(column.kind is Kind.CATEGORICAL for column in long.train.schema)

    def add(self, counts: Counts) -> None:
        name = counts.column.name
        found = self._wrong(counts, counts.synthetic, self.long.synthetic.rows)
        if found.share > 0 and name not in self.broken:
            self.detail[f"column:{name}"] = found.share
            if found.counts:
                self.reasons.append(f"{name}: {found.reason}")
        self.floor += self._wrong(counts, counts.holdout, self.long.holdout.rows).counts

    def score(self) -> Score:
        count = float(len(self.reasons))
        more = f"; and {len(self.reasons) - 5} more" if len(self.reasons) > 5 else ""
        return Score(
            count,
            count,
            count,
            count,
            floor=float(self.floor),
            reason="; ".join(self.reasons[:5]) + more,
            rows=self.long.synthetic.rows,
            detail=self.detail,
        )

    def _wrong(self, counts: Counts, own: Ints, rows: int) -> Wrong:
        column = counts.column
        if column.kind is Kind.CATEGORICAL and not column.public:
            real = counts.train[:-1] + counts.holdout[:-1]
            return new_labels(real, own[:-1], rows=rows, columns=self.labels)
        if column.kind is Kind.NUMERIC and column.decimals is not None:
            off = np.abs(counts.values - rounded(counts.values, column.decimals))
            share = float(own[:-1][off > ROUNDING * np.maximum(np.abs(counts.values), 1)].sum()) / rows
            return Wrong(share, f"more than {column.decimals} decimals") if share > FEW_FINER else RIGHT
        return RIGHT


class _Spikes:
    def __init__(self, long: Long) -> None:
        self.long = long
        self.best: dict[str, tuple[float, float]] = {}
        self.sized: tuple[list[list[float]], list[list[float]]] = ([], [])

    def add(self, counts: Counts) -> None:
        column, values = counts.column, counts.values
        if column.decimals is not None:
            values = rounded(values, column.decimals) + 0.0
        own, place = np.unique(values, return_inverse=True)

        def shares(one: Ints) -> Floats:
            return np.bincount(place, weights=one[:-1], minlength=len(own)) / max(int(one[:-1].sum()), 1)

        def massive(one: Ints) -> Bools:
            total = int(one[:-1].sum())
            held = shares(one) * total
            return (held >= MASS * total - 0.5 * ROUNDING) & (held >= EXPECTED - 0.5)

        present = int(counts.train[:-1].sum())
        masses = massive(counts.train) | massive(counts.synthetic)
        if not present or not masses.any():
            return
        real, made = shares(counts.train)[masses], shares(counts.synthetic)[masses]
        for one, other in zip(real.tolist(), made.tolist(), strict=True):
            error = ks_error((one + other) / 2, rows=present, others=max(self.long.synthetic.rows, 1))
            if abs(one - other) >= self.best.get(column.name, (-1.0, 0.0))[0]:
                self.best[column.name] = abs(one - other), error
        for kept, tables in zip(self.sized, (counts.holdouts, counts.synthetics), strict=True):
            kept.append([float(np.abs(real - shares(one)[masses]).max()) for one in tables])

    def score(self) -> Score:
        if not self.long.train.schema.only(Kind.NUMERIC, Kind.DATETIME):
            return Score.not_applicable("the table has no numeric or datetime column")
        if not self.best:
            return Score.not_applicable(f"no value of a numeric column is held by {MASS:.0%} of its rows")
        value, error = max(self.best.values())
        bounds = normal_bounds(value, error, alpha=self.long.alpha)
        detail = {f"column:{name}": gap for name, (gap, _) in self.best.items()}
        score = Score(value, bounds.low, bounds.high, bounds.upper, rows=self.long.train.rows, detail=detail)
        real, made = (float(np.array(one).max(axis=0).mean()) for one in self.sized)
        return with_floor(score, floor=real, at_floor_size=made, size=self.long.size)


class _Rare:
    def __init__(self, long: Long) -> None:
        self.long = long
        self.kept: dict[str, tuple[int, int]] = {}
        self.sized: tuple[list[list[int]], list[list[int]]] = ([], [])
        self.total = 0

    def add(self, counts: Counts) -> None:
        rare = self._rare(counts.train, self.long.synthetic.rows)
        self.kept[counts.column.name] = int((counts.synthetic[:-1][rare] > 0).sum()), int(rare.sum())
        small = self._rare(counts.train, self.long.size)
        self.total += int(small.sum())
        for kept, tables in zip(self.sized, (counts.holdouts, counts.synthetics), strict=True):
            kept.append([int((one[:-1][small] > 0).sum()) for one in tables])

    def _rare(self, train: Ints, rows: int) -> Bools:
        shares = train[:-1] / max(self.long.train.rows, 1)
        return (shares < RARE) & (train[:-1] >= EXPECTED) & (shares * rows >= EXPECTED)

    def score(self) -> Score:
        if not self.long.train.schema.only(Kind.CATEGORICAL):
            return Score.not_applicable("the table has no categorical column")
        count, total = (sum(one[side] for one in self.kept.values()) for side in (0, 1))
        if total == 0:
            return Score.not_applicable(
                "no category is both rare and frequent enough to be expected in the synthetic table"
            )
        bounds = wilson_bounds(count, total, alpha=self.long.alpha)
        detail = {f"column:{name}": kept / rare for name, (kept, rare) in self.kept.items() if rare}
        score = Score(
            count / total,
            bounds.low,
            bounds.high,
            bounds.upper,
            rows=self.long.train.rows,
            detail={"categories": float(total), **detail},
        )
        if self.total == 0:
            return score
        real, made = (float(np.array(one).sum(axis=0).mean()) / self.total for one in self.sized)
        return with_floor(score, floor=real, at_floor_size=made, size=self.long.size)


def _spread(counted: Counted, values: Floats) -> Ints:
    """Return the counts over a wider set of values, and the absent rows after them."""
    found = np.zeros(len(values) + 1, dtype=np.int64)
    found[np.searchsorted(values, counted.values)] = counted.counts
    found[-1] = counted.absent
    return found


def _shares(counts: Ints) -> Floats | None:
    present = counts[:-1].sum()
    return counts[:-1] / present if present else None
