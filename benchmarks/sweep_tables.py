"""Draw whole tables with Hypothesis: columns from the registry, odd names, missing values, repeats."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from benchmarks.sweep_columns import MAKERS, Pool
from synth_worker.gates import PROFILES

NAMES: tuple[object, ...] = (
    "age", "value", "patient_id", "id", "code", "name", "", " ", "ä ö", "x,y", 'q"uote', "new\nline", "=1+1", "🙂",
    "עברית", "a" * 300, 0, 7, None, 1.5, ("t", "u"), "index", "level_0", "<script>alert(1)</script>", "%s", "{x}",
    "{{ x }}", "NaN", "Unnamed: 0", "AGE", "'quoted", "\ufeffbom", "tab\tname", "-", "true", "2020-01-01",
)  # fmt: skip
"""Names that columns may have; a number stands for itself, one name may be drawn twice."""


@dataclass(frozen=True)
class ColumnPlan:
    """Say what one column is made of; ``missing`` is the share of absent values."""

    name: object
    maker: str
    seed: int
    missing: float
    pool: Pool


@dataclass(frozen=True)
class Plan:
    """Say what one case is: the table and what is asked of it. ``distinct`` > 0: so many different rows, repeated."""

    rows: int
    columns: tuple[ColumnPlan, ...]
    source: str
    method: str
    profile: str
    target: int | None
    distinct: int
    text: str
    wanted: int | None

    def describe(self) -> str:
        """Return the case in a line, complete enough to make it again by hand."""
        columns = ", ".join(
            f"{one.name!r:.30}: {one.maker}" + (f" {one.missing:.0%} missing" if one.missing else "")
            for one in self.columns[:12]
        )
        more = f" and {len(self.columns) - 12} more" if len(self.columns) > 12 else ""
        asked = f"target {self.columns[self.target].name!r:.30}" if self.target is not None else "no target"
        return (
            f"{self.rows} rows ({self.distinct or 'all'} drawn apart), {self.source}, {self.method}, {self.profile}, "
            f"{asked}, text {self.text}, {self.wanted or 'as many'} wanted; {columns}{more}"
        )


def make_frame(plan: Plan) -> pd.DataFrame:
    """Return the data frame of a plan; the same plan gives the same frame."""
    series: list[pd.Series] = []
    for place, column in enumerate(plan.columns):
        rng = np.random.default_rng([column.seed, place])
        made = pd.Series(MAKERS[column.maker](rng, plan.rows, column.pool))  # type: ignore[arg-type]
        if column.missing and plan.rows:
            gone = rng.random(plan.rows) < column.missing
            made = _without(made, gone)
        series.append(made.reset_index(drop=True))
    frame = pd.concat(series, axis=1)
    frame.columns = pd.Index([one.name for one in plan.columns], dtype=object, tupleize_cols=False)
    if plan.distinct and plan.distinct < plan.rows:
        order = np.random.default_rng([plan.rows, 5]).integers(0, plan.distinct, plan.rows)
        frame = frame.iloc[order].reset_index(drop=True)
    return frame


def _without(values: pd.Series, gone: np.ndarray) -> pd.Series:
    """Return the column with cells made absent, in its own dtype where that holds absent values."""
    if values.dtype == np.bool_ or (isinstance(values.dtype, np.dtype) and values.dtype.kind in "iu"):
        return values  # no absent value fits, and another dtype would be another case
    if values.dtype == object:
        return values.where(~gone, None)
    return values.mask(gone)


def smaller(plan: Plan) -> list[Plan]:
    """Return simpler plans, the boldest first: fewer columns, fewer rows, plainer wishes."""
    found: list[Plan] = []
    count = len(plan.columns)
    half = count // 2
    if count > 2:
        found += [_keep(plan, range(half)), _keep(plan, range(half, count))]
    if 1 < count <= 8:
        found += [_keep(plan, [one for one in range(count) if one != gone]) for gone in range(count)]
    if plan.rows > 60:
        found.append(replace(plan, rows=max(30, plan.rows // 2)))
    for change in (
        {"distinct": 0}, {"target": None}, {"source": "frame"}, {"method": "gc"}, {"profile": "standard"},
        {"text": "drop"}, {"wanted": None},
    ):  # fmt: skip
        found.append(replace(plan, **change))  # type: ignore[arg-type]
    found += [
        replace(plan, columns=tuple(replace(one, missing=0.0) for one in plan.columns)),
        replace(plan, columns=tuple(replace(one, name=f"c{place}") for place, one in enumerate(plan.columns))),
    ]
    return [one for one in found if one != plan]


def _keep(plan: Plan, places: Sequence[int]) -> Plan:
    target = places.index(plan.target) if plan.target in places else None
    return replace(plan, columns=tuple(plan.columns[one] for one in places), target=target)


_FLOATS = st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True)
_TEXTS = st.text(max_size=12)
_POOLS = st.builds(
    Pool,
    texts=st.lists(_TEXTS, min_size=1, max_size=6).map(tuple),
    floats=st.lists(_FLOATS, min_size=1, max_size=6).map(tuple),
)
_SEEDS = st.integers(0, 2**63 - 1)
_SOURCES = ("frame",) * 12 + ("csv",) * 4 + ("tsv",) * 2 + ("parquet",) * 4 + ("xlsx",) * 2
WIDTHS = (1, 2, 3, 3, 4, 4, 5, 6, 8, 12)
_RARE = ("lists", "complex", "bytes", "mixed everything")
"""Columns for which a table may be refused, so that they do not spoil every wide one."""


@st.composite
def plans(draw: st.DrawFn, *, widest: int = 200, most_rows: int = 5_000) -> Plan:
    """Draw a case: most tables small and narrow, few long, few wide, none both.

    Hypothesis chooses the odd cells and one number; the shape comes from both with weights of its own, for left alone
    Hypothesis repeats and varies the shapes that it drew first.
    """
    pool, number = draw(_POOLS), draw(_SEEDS)
    rng = np.random.default_rng([number, zlib.crc32(repr(pool).encode())])
    size = rng.random()
    rows = int(rng.integers(30, 90))
    if size > 0.85:
        rows = int(rng.integers(*((2, 30) if size > 0.98 else (2_000, 5_001) if size > 0.96 else (90, 700))))
    rows = min(rows, most_rows)
    widths = (*WIDTHS, 200 if rng.random() < 0.2 else 20) if rows < 90 else (1, 2, 3, 5)
    width = min(int(rng.choice(widths)), widest)
    odd = width <= 12 and rng.random() < 0.4
    twice = rng.random() < 0.03
    names = rng.choice(len(NAMES), width, replace=twice) if odd else []
    common = [one for one in sorted(MAKERS) if one not in _RARE]
    own = common if width > 12 else sorted(MAKERS)
    columns = tuple(
        ColumnPlan(
            NAMES[int(names[place])] if odd else f"c{place}",
            own[int(rng.integers(len(own)))],
            int(rng.integers(2**31)),
            float(rng.choice([0.0, 0.0, 0.0, 0.1, 0.5, 0.95])),
            pool,
        )
        for place in range(width)
    )
    return Plan(
        rows=rows,
        columns=columns,
        source=str(rng.choice(_SOURCES)),
        method=str(rng.choice(["gc", "gc", "cart", "cart", "auto"])),
        profile=str(rng.choice(["standard", *sorted(PROFILES)])),
        target=int(rng.integers(width)) if rng.random() < 0.25 else None,
        distinct=int(rng.choice([0, 0, 0, 0, 0, 0, 0, 2, 10])),
        text=str(rng.choice(["drop", "drop", "fake"])),
        wanted=[None, None, None, None, None, 2, 7, 150][int(rng.integers(8))],
    )
