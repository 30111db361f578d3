"""Decide what each column's picture shows: real against synthetic shares in common cells, and their distance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from synth_worker.parsing import format_dates
from synth_worker.report import bins, disclosure
from synth_worker.report.parts import Audience, ColumnView, Said, Shares, quote
from synth_worker.schema import Column, Kind
from synth_worker.table import Floats, Ints, Table

DRAWN = 40
"""So many columns are drawn, those that differ most; a page of a hundred pictures is read by nobody."""

LEVELS = 12
"""So many labels of a column are named, the most frequent ones; the others share a bar."""

_QUANTILES = {"min": 0.0, "quarter": 0.25, "median": 0.5, "three_quarters": 0.75, "max": 1.0}


class _Cells(NamedTuple):
    """Hold counts in cells before they become shares: a name, real rows, synthetic rows for each."""

    names: list[Said]
    real: list[int]
    synthetic: list[int]


def views(*, train: Table, holdout: Table, synthetic: Table, audience: Audience) -> tuple[ColumnView, ...]:
    """Return the views of all columns of three tables under one domain, largest distance first."""
    found = [
        view(column, train=train, holdout=holdout, synthetic=synthetic, audience=audience) for column in train.schema
    ]
    return tuple(sorted(found, key=lambda one: -1.0 if one.distance is None else one.distance, reverse=True))


def view(column: Column, *, train: Table, holdout: Table, synthetic: Table, audience: Audience) -> ColumnView:
    """Return the view of one column; the public one holds blurred counts and names no small group."""
    name, public = column.name, audience == "public"
    shares = _number_shares if column.continuous else _label_shares
    drawn = shares(column, train, synthetic=synthetic, audience=audience)
    gone = int(train.missing(name).sum())
    people = _people(train, train.missing(name).astype(np.int64), 2)[::-1]
    real = disclosure.blurred_share(gone, train.rows, people=people) if public else gone / max(train.rows, 1)
    made = float(synthetic.missing(name).mean()) if synthetic.rows else 0.0
    empty = gone == train.rows
    return ColumnView(
        name=name,
        kind=str(column.kind),
        distance=distance(column, train, synthetic=synthetic),
        floor=distance(column, train, synthetic=holdout),
        missing_real=Said("missing.few") if real is None else Said("missing.share", {"share": real}),
        missing_synthetic=Said("missing.share", {"share": made}),
        missing=None if real is None else (real, made),
        shares=drawn,
        why_not=None if drawn else Said("columns.empty" if empty else "columns.withheld"),
        summary=() if public or not column.continuous else _summary(column, train, synthetic=synthetic),
    )


def distance(column: Column, real: Table, *, synthetic: Table) -> float | None:
    """Return the Kolmogorov-Smirnov or total variation distance of the present values, None where there are none."""
    if column.continuous:
        left, right = (np.sort(_present(column, table)) for table in (real, synthetic))
        if not len(left) or not len(right):
            return None
        places = np.concatenate([left, right])
        below = [np.searchsorted(values, places, side="right") / len(values) for values in (left, right)]
        return float(np.abs(below[0] - below[1]).max())
    counts = [_level_counts(column, table) for table in (real, synthetic)]
    if not all(count.sum() for count in counts):
        return None
    return float(np.abs(counts[0] / counts[0].sum() - counts[1] / counts[1].sum()).sum() / 2)


def _number_shares(column: Column, train: Table, *, synthetic: Table, audience: Audience) -> Shares | None:
    """Return the shares of a number or a date in common bins, None where too few rows are left to show any."""
    real, made = _present(column, train), _present(column, synthetic)
    # The synthetic table is what goes out anyway, so borders taken from it tell nothing of the real one.
    public = audience == "public"
    chosen = bins.choose(column, made if public else np.concatenate([real, made]))
    left, right = chosen.count(real), chosen.count(made)
    ranges = [(place, place + 1) for place in range(len(left))]
    if public:
        together = sum if train.units is None else disclosure.largest
        people = _people(train, chosen.places(train.numbers(column.name)), len(left))
        ranges = disclosure.merged_bins(people, together=together)
        if any(disclosure.small(together(people[start:stop])) for start, stop in ranges):
            return None
    cells = _Cells(
        [chosen.cells(start, stop) for start, stop in ranges],
        [int(left[start:stop].sum()) for start, stop in ranges],
        [int(right[start:stop].sum()) for start, stop in ranges],
    )
    inner = [stop - 1 for _, stop in ranges[:-1]]
    return _shares(
        cells,
        audience=audience,
        edges=tuple(chosen.edges[place] for place in inner),
        ticks=tuple(chosen.labels[place + 1] if chosen.labels else chosen.ticks[place] for place in inner),
        shift=chosen.shift,
    )


def _label_shares(column: Column, train: Table, *, synthetic: Table, audience: Audience) -> Shares | None:
    """Return the shares of the most frequent labels and of all others together."""
    left, right = _level_counts(column, train), _level_counts(column, synthetic)
    if audience == "public":
        together = sum if train.units is None else disclosure.largest
        people = _people(train, train.codes(column.name), len(left))
        named = disclosure.kept_labels(people, LEVELS, together=together)
        if not named:
            return None
    else:
        order = sorted(range(len(left)), key=lambda place: (-left[place], -right[place], place))
        named = [place for place in order if left[place] or right[place]][:LEVELS]
    cells = _Cells(
        [quote(column.categories[place]) for place in named],
        [int(left[place]) for place in named],
        [int(right[place]) for place in named],
    )
    rest_real, rest_made = int(left.sum()) - sum(cells.real), int(right.sum()) - sum(cells.synthetic)
    if rest_real or rest_made:
        rest = len(np.flatnonzero(left + right)) - len(named)
        public = audience == "public"
        cells.names.append(Said("cell.other.public") if public else Said("cell.other", {"count": rest}))
        cells.real.append(rest_real)
        cells.synthetic.append(rest_made)
    return _shares(cells, audience=audience)


def _shares(
    cells: _Cells, *, audience: Audience, edges: Sequence[float] = (), ticks: Sequence[str] = (), shift: float = 0.0
) -> Shares | None:
    """Turn counts into shares; None where there is nothing to show."""
    real = [disclosure.blurred(count) for count in cells.real] if audience == "public" else cells.real
    if not sum(real):
        return None
    return Shares(
        tuple(cells.names),
        tuple(count / max(sum(real), 1) for count in real),
        tuple(count / max(sum(cells.synthetic), 1) for count in cells.synthetic),
        tuple(edges),
        tuple(ticks),
        shift,
    )


def _people(table: Table, cells: Ints, size: int) -> list[int]:
    """Return how many people stand in each cell; rows whose cell is negative stand in none."""
    if table.units is None:
        return np.bincount(cells[cells >= 0], minlength=size).tolist()
    pairs = np.unique(np.stack([table.units, cells], axis=1)[cells >= 0], axis=0)
    return np.bincount(pairs[:, 1], minlength=size).tolist()


def _summary(column: Column, train: Table, *, synthetic: Table) -> tuple[tuple[Said, str, str], ...]:
    """Return location and spread of both tables; exact values of real records, so never public."""
    sides = [_describe(column, _present(column, table)) for table in (train, synthetic)]
    return tuple((Said(f"summary.{key}"), sides[0][key], sides[1][key]) for key in sides[0] if key in sides[1])


def _describe(column: Column, values: Floats) -> dict[str, str]:
    if not len(values):
        return {}
    found = {key: _written(column, float(np.quantile(values, level))) for key, level in _QUANTILES.items()}
    if column.kind is Kind.NUMERIC:
        scale = float(np.abs(values).max()) or 1.0  # squares of 1e200 are no floats
        mean, spread = float((values / scale).mean()) * scale, float((values / scale).std()) * scale
        found = {"mean": bins.number(mean), "sd": bins.number(spread), **found}
    return found


def _written(column: Column, value: float) -> str:
    if column.kind is Kind.DATETIME and math.isfinite(value):
        pattern = "%Y-%m-%d" if column.dtype == "date" else "%Y-%m-%d %H:%M"
        return format_dates(np.array([value]), pattern=pattern)[0]
    return bins.number(value)


def _present(column: Column, table: Table) -> Floats:
    values = table.numbers(column.name)
    return values[~np.isnan(values)]


def _level_counts(column: Column, table: Table) -> Ints:
    codes = table.codes(column.name)
    return np.bincount(codes[codes >= 0], minlength=len(column.categories)).astype(np.int64)
