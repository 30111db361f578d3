"""Compare columns two at a time, and look for copies, in one pass over the rows of tables that are too long to hold.

What a pass keeps is small: sums of products and counts of pairs of cells, by jackknife group, and one hash per row. The
figures are those of ``dependence`` and ``trend`` on all rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from synth_worker.longfile import Counted, LongFile
from synth_worker.metrics.association import Layout, gram_of, label_places, pairs_of
from synth_worker.metrics.base import Score, Scores
from synth_worker.metrics.confidence import deal_groups, jackknife_error, normal_bounds
from synth_worker.metrics.dependence import GROUPS, loss_score
from synth_worker.metrics.floors import with_floor, worst_pairs
from synth_worker.metrics.long_margins import Long
from synth_worker.metrics.trend import BINS, MOST_PAIRS, Bins, Side, pair_errors
from synth_worker.table import Floats, Ints, Table, row_hashes

MOST_CELLS = 100_000_000
"""Counts of cells by group that are kept at once, at most; pairs of columns with more are left out of ``trend``."""

Groups = tuple[NDArray[np.int8], NDArray[np.int8]]
"""The jackknife group of each row, for ``corr_delta`` and for ``trend``."""


@dataclass(frozen=True, eq=False)
class Totals:
    """Hold what one pass over a file found.

    ``grams``: sums of products by group of ``corr_delta``, shape (groups, entries, entries). ``numbers``: the same of
    the numbers alone by group of ``trend``. ``joints``: by pair of columns, counts of cells, shape (groups, cells of
    both). ``hashes``: one per row.
    """

    grams: Floats
    numbers: Floats
    joints: dict[tuple[int, int], Floats]
    hashes: Ints


@dataclass(frozen=True, eq=False)
class Frame:
    """Say how rows become sums, fitted on the counts of all training rows: the layout, the bins, and which pairs."""

    layout: Layout
    bins: Bins
    pairs: tuple[Ints, Ints]
    counted: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, long: Long, rng: np.random.Generator) -> Frame:
        """Fit on the training file's counts."""
        layout = layout_of(long.train)
        bins = bins_of(long.train, layout)
        first, second = pairs_of(len(layout.names))
        if len(first) > MOST_PAIRS:
            drawn = np.sort(rng.choice(len(first), size=MOST_PAIRS, replace=False))
            first, second = first[drawn], second[drawn]
        numbers = set(layout.numbers)
        kept = np.ones(len(first), dtype=np.bool_)
        counted: list[tuple[int, int]] = []
        cells = np.array(bins.cells)
        room = MOST_CELLS
        for at in np.argsort(cells[first] * cells[second], kind="stable").tolist():
            one, other = int(first[at]), int(second[at])
            if layout.names[one] in numbers and layout.names[other] in numbers:
                continue
            room -= GROUPS * bins.cells[one] * bins.cells[other]
            kept[at] = room >= 0
            if kept[at]:
                counted.append((one, other))
        return cls(layout, bins, (first[kept], second[kept]), tuple(counted))


def layout_of(train: LongFile) -> Layout:
    """Return ``Layout.of`` the rows of a file, from their counts."""
    schema = train.schema
    numbers = tuple(column.name for column in schema if column.continuous)
    labels = tuple(column.name for column in schema if not column.continuous)
    centres, scales = np.zeros(len(numbers)), np.ones(len(numbers))
    for place, name in enumerate(numbers):
        own = train.counted[name]
        if own.present:
            centres[place] = own.counts @ own.values / own.present
            spread = own.counts @ (own.values - centres[place]) ** 2 / own.present
            scales[place] = float(np.sqrt(spread)) or 1.0
    places, starts, hot = label_places([train.counted[name].counts for name in labels])
    order = np.argsort([schema.names.index(name) for name in numbers + labels])
    return Layout(schema.names, numbers, labels, centres, scales, places, starts, hot, order)


def bins_of(train: LongFile, layout: Layout) -> Bins:
    """Return ``Bins.of`` the rows of a file, from their counts."""
    edges: dict[str, Floats] = {}
    cells: list[int] = []
    for column in train.schema:
        if column.continuous:
            edges[column.name] = np.unique(quantiles(train.counted[column.name], np.linspace(0, 1, BINS + 1)[1:-1]))
            cells.append(len(edges[column.name]) + 2)
        else:
            cells.append(len(column.categories) + 1)
    return Bins(layout, edges, tuple(cells))


def quantiles(counted: Counted, levels: Floats) -> Floats:
    """Return the quantiles of counted values, interpolated between ranks as numpy does; none of no value.

    >>> quantiles(Counted(np.array([1.0, 3.0]), np.array([3, 1]), 0), np.array([0.5, 0.9])).round(9).tolist()
    [1.0, 2.4]
    """
    if not counted.present:
        return np.zeros(0)
    at = levels * (counted.present - 1)
    ends = np.cumsum(counted.counts)
    below = np.floor(at).astype(np.int64)
    above = np.minimum(below + 1, counted.present - 1)
    low, high = (counted.values[np.searchsorted(ends, ranks, side="right")] for ranks in (below, above))
    return low + (high - low) * (at - below)


def totals_of(
    file: LongFile,
    frame: Frame,
    *,
    groups: tuple[NDArray[np.int8], NDArray[np.int8]],
    seen: Callable[[int, Table], None],
) -> Totals:
    """Pass once over a file; ``groups`` are the rows' groups for ``corr_delta`` and for ``trend``.

    ``seen`` is handed each batch and the position of its first row.
    """
    layout, bins = frame.layout, frame.bins
    entries, wide = 3 * len(layout.numbers) + layout.hot, 3 * len(layout.numbers)
    grams, numbers = np.zeros((GROUPS, entries, entries)), np.zeros((GROUPS, wide, wide))
    joints = {pair: np.zeros((GROUPS, bins.cells[pair[0]] * bins.cells[pair[1]])) for pair in frame.counted}
    hashes = np.empty(file.rows, dtype=np.int64)
    start = 0
    for table in file.batches():
        stop = start + table.rows
        hashes[start:stop] = row_hashes(table).view(np.int64)
        first, second = (one[start:stop] for one in groups)
        matrix = layout.number_matrix(table)
        _add_grams(grams, matrix, layout, table, first)
        products = _products(matrix, second)
        numbers += products
        side = Side(bins.codes(table), products, second.astype(np.int64), GROUPS)
        for pair in joints:
            joints[pair] += side.joint(*pair, bins.cells)
        seen(start, table)
        start = stop
    return Totals(grams, numbers, joints, hashes)


def _add_grams(grams: Floats, matrix: Floats, layout: Layout, table: Table, groups: NDArray[np.int8]) -> None:  # noqa: PLR0917
    """Add to each group's sums what ``Layout.sparse_gram`` of its rows is, all groups at once."""
    wide, hot = matrix.shape[1], layout.hot
    grams[:, :wide, :wide] += _products(matrix, groups)
    if not layout.labels:
        return
    rows = groups.astype(np.int64)
    places = [own[table.codes(name)] for own, name in zip(layout.places, layout.labels, strict=True)]
    ends = np.arange(table.rows + 1) * len(places)
    # A column for each level of each group: one sparse product sums the numbers by level and group.
    columns = np.stack([rows * hot + own for own in places], axis=1).ravel()
    levels = sparse.csr_array((np.ones(len(columns)), columns, ends), shape=(table.rows, GROUPS * hot))
    sums = np.asarray(levels.T @ matrix).reshape(GROUPS, hot, wide)
    grams[:, wide:, :wide] += sums
    grams[:, :wide, wide:] += sums.transpose(0, 2, 1)
    starts = [*layout.starts.tolist(), hot]
    spans = list(pairwise(starts))
    for one, (low, high) in enumerate(spans):
        for other in range(one + 1):
            least, most = spans[other]
            cells = (high - low) * (most - least)
            code = (rows * (high - low) + places[one] - low) * (most - least) + places[other] - least
            counts = np.bincount(code, minlength=GROUPS * cells).reshape(GROUPS, high - low, most - least)
            grams[:, wide + low : wide + high, wide + least : wide + most] += counts
            if other < one:
                grams[:, wide + least : wide + most, wide + low : wide + high] += counts.transpose(0, 2, 1)


def _products(matrix: Floats, groups: NDArray[np.int8]) -> Floats:
    """Return ``gram_of`` the rows of each group, shape (groups, entries, entries)."""
    # In runs of one group: each group's sum is then one product.
    order = np.argsort(groups, kind="stable")
    ends = np.searchsorted(groups[order], np.arange(GROUPS + 1))
    runs = matrix.take(order, axis=0)
    return np.stack([gram_of(runs[ends[group] : ends[group + 1]]) for group in range(GROUPS)])


def dealt(long: Long, rows: int, which: str) -> Groups:
    """Deal the rows of a file to the groups of either figure."""
    corr, trend = (
        deal_groups(rows, rng=long.streams.rng(name, "groups", which), groups=GROUPS).astype(np.int8)
        for name in ("corr", "trend")
    )
    return corr, trend


def pair_scores(long: Long, frame: Frame, totals: tuple[Totals, Totals, Totals], *, loose: float) -> Scores:
    """Return ``corr_delta``, ``corr_loss`` and ``trend`` of all rows; ``totals`` are train's, holdout's, synthetic's.

    ``loose`` is the ``corr_delta`` of rows whose columns were shuffled.
    """
    if len(long.train.schema) < 2:
        one = Score.not_applicable("a table of one column has no pair of columns")
        return {"corr_delta": one, "corr_loss": one, "trend": one}
    delta = _delta(long, frame, totals)
    return {"corr_delta": delta, "corr_loss": loss_score(delta, loose), "trend": _trend(long, frame, totals)}


def _delta(long: Long, frame: Frame, totals: tuple[Totals, Totals, Totals]) -> Score:
    layout = frame.layout
    first, second = pairs_of(len(layout.names))
    real, held, made = (one.grams.sum(axis=0) for one in totals)

    def gaps(one: Floats, other: Floats) -> Floats:
        return np.abs(layout.associations(one) - layout.associations(other))[first, second]

    own = gaps(real, made)
    left = [float(gaps(real - totals[0].grams[group], made - totals[2].grams[group]).mean()) for group in range(GROUPS)]
    value = float(own.mean())
    bounds = normal_bounds(value, jackknife_error(np.array(left)), alpha=long.alpha, most=2.0)
    names = [f"pair:{layout.names[a]}|{layout.names[b]}" for a, b in zip(first, second, strict=True)]
    detail = worst_pairs(dict(zip(names, own.tolist(), strict=True)))
    score = Score(value, bounds.low, bounds.high, bounds.upper, rows=long.train.rows, detail=detail)
    sized = _parts(long)
    floor = float(gaps(real, totals[1].grams[: sized[0]].sum(axis=0)).mean()) if sized[0] < GROUPS else None
    floor = float(gaps(real, held).mean()) if floor is None else floor
    at_size = float(gaps(real, totals[2].grams[: sized[1]].sum(axis=0)).mean())
    return with_floor(score, floor=floor, at_floor_size=at_size, size=long.size)


def _trend(long: Long, frame: Frame, totals: tuple[Totals, Totals, Totals]) -> Score:
    names = frame.layout.names
    if not len(frame.pairs[0]):
        return Score.unmeasured("each pair of columns has too many cells to count")
    real, held, made = (_Counted(one.numbers, one.joints) for one in totals)
    errors = pair_errors(real, made, frame.bins, frame.pairs)
    value = float(errors[0].mean())
    bounds = normal_bounds(value, jackknife_error(errors[1:].mean(axis=1)), alpha=long.alpha)
    pairs = [f"pair:{names[a]}|{names[b]}" for a, b in zip(*frame.pairs, strict=True)]
    detail = worst_pairs(dict(zip(pairs, errors[0].tolist(), strict=True)))
    score = Score(value, bounds.low, bounds.high, bounds.upper, rows=long.train.rows, detail=detail)
    sized = _parts(long)
    whole = real.some(GROUPS)
    floor = float(pair_errors(whole, held.some(sized[0]), frame.bins, frame.pairs).mean())
    at_size = float(pair_errors(whole, made.some(sized[1]), frame.bins, frame.pairs).mean())
    return with_floor(score, floor=floor, at_floor_size=at_size, size=long.size)


@dataclass(frozen=True, eq=False)
class _Counted:
    """Stand for ``trend.Side`` with counts that are there already."""

    grams: Floats
    joints: dict[tuple[int, int], Floats]

    @property
    def count(self) -> int:
        return len(self.grams)

    def joint(self, first: int, second: int, cells: tuple[int, ...]) -> Floats:
        """Return how often each pair of cells occurs in each group; ``cells`` must be those it was counted for."""
        return self.joints[first, second]

    def some(self, groups: int) -> _Counted:
        """Return the first groups as one."""
        joints = {pair: own[:groups].sum(axis=0)[None] for pair, own in self.joints.items()}
        return _Counted(self.grams[:groups].sum(axis=0)[None], joints)


def _parts(long: Long) -> tuple[int, int]:
    """Return how many groups of the held-out and of the synthetic rows come nearest to equally many rows."""
    held, made = (min(max(round(GROUPS * long.size / file.rows), 1), GROUPS) for file in (long.holdout, long.synthetic))
    return held, made
