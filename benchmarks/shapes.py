"""Measure every method on five tables whose law is known, each figure beside that of fresh rows of the law.

    python -m benchmarks.shapes [--methods gc,cart,arn] [--seeds 0,1,2] [--only-document]

A method learns 3,000 rows by its default settings and draws as many, nothing is selected. One line per method, table
and seed is appended to records/shapes.jsonl; ``fresh`` is a second draw of the law, the ideal. docs/shapes.md is
written from the records.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from statistics import mean
from typing import NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.results import newest
from benchmarks.rows import ROOT, append, ask_since, held, read
from synth_worker.generators.registry import GENERATORS, build
from synth_worker.schema import Column, Kind, Schema
from synth_worker.seeds import Streams
from synth_worker.table import Floats, Table

ROWS = 3_000
TRUTH = 100_000
DOCUMENT = ROOT / "docs" / "shapes.md"
FRESH = "fresh"
CELLS = 12
CATEGORIES = 1_000
TOP = 20

METHODS = (FRESH, *(name for name, spec in GENERATORS.items() if not spec.guarantee))
"""The law itself, and the methods that add no noise: how far that moves a table is another page's question."""


class Shape(NamedTuple):
    """Hold one law: how rows are drawn, and what is measured of a table against many rows of it; 0 is ideal."""

    about: str
    figure: str
    draw: Callable[[int, np.random.Generator], Table]
    measure: Callable[[Table, Table], float]


def numeric(**columns: Floats) -> Table:
    """Return a table of numbers with six decimals."""
    schema = Schema(tuple(Column(name, Kind.NUMERIC, dtype="float64", decimals=6) for name in columns))
    return Table(schema, pd.DataFrame({name: np.round(values, 6) for name, values in columns.items()}))


def joint(rows: int, rng: np.random.Generator) -> Table:
    """Draw two correlated clouds, one tilted against the other."""
    side = rng.random(rows) < 0.4
    first, second = rng.normal(size=(2, rows))
    turned = 0.8 * first + 0.6 * second
    x = np.where(side, 3 + 0.7 * first, first)
    return numeric(x=x, y=np.where(side, -0.7 * turned, turned))


def grid_distance(made: Table, truth: Table) -> float:
    """Return the total variation distance over cells of equal share in either column."""
    edges = [np.quantile(truth.numbers(name), np.arange(1, CELLS) / CELLS) for name in ("x", "y")]

    def shares(table: Table) -> Floats:
        places = [np.searchsorted(edge, table.numbers(name)) for edge, name in zip(edges, ("x", "y"), strict=True)]
        return np.bincount(places[0] * CELLS + places[1], minlength=CELLS**2) / table.rows

    return float(np.abs(shares(made) - shares(truth)).sum() / 2)


def ring(rows: int, rng: np.random.Generator) -> Table:
    """Draw points near a circle of radius one."""
    angle, radius = rng.uniform(0, 2 * np.pi, rows), rng.normal(1, 0.05, rows)
    return numeric(x=radius * np.cos(angle), y=radius * np.sin(angle))


def off_ring(made: Table, truth: Table) -> float:
    """Return the share of points farther from the circle than any of the law's is likely to be."""
    far = np.quantile(np.abs(np.hypot(truth.numbers("x"), truth.numbers("y")) - 1), 0.999)
    return float((np.abs(np.hypot(made.numbers("x"), made.numbers("y")) - 1) > far).mean())


def atom(rows: int, rng: np.random.Generator) -> Table:
    """Draw a number that is exactly zero in nine of ten or three of ten rows, as a label says, else log-normal."""
    kind = rng.integers(2, size=rows)
    zero = rng.random(rows) < np.where(kind == 1, 0.9, 0.3)
    amount = np.where(zero, 0.0, np.round(np.exp(rng.normal(4 + kind, 0.7)), 2))
    columns = (
        Column("kind", Kind.CATEGORICAL, categories=("few", "many")),
        Column("amount", Kind.NUMERIC, dtype="float64", decimals=2),
    )
    frame = {"kind": pd.Categorical.from_codes(kind, ["few", "many"]), "amount": amount}
    return Table(Schema(columns), pd.DataFrame(frame))


def zero_gap(made: Table, truth: Table) -> float:
    """Return the larger gap of the share of zeros within either label."""
    shares = [
        [(table.numbers("amount")[table.codes("kind") == kind] == 0).mean() for kind in (0, 1)]
        for table in (made, truth)
    ]
    return float(np.abs(np.subtract(*shares)).max())


def total(rows: int, rng: np.random.Generator) -> Table:
    """Draw two numbers and their sum."""
    first = np.round(rng.gamma(2.0, 20.0, rows), 2)
    second = np.round(rng.normal(50, 10, rows) + 0.3 * first, 2)
    return numeric(a=first, b=second, c=first + second)


def residue(made: Table, truth: Table) -> float:
    """Return the mean distance of c from a + b, in standard deviations of c."""
    gap = made.numbers("c") - made.numbers("a") - made.numbers("b")
    return float(np.abs(gap).mean() / truth.numbers("c").std())


def categories(rows: int, rng: np.random.Generator) -> Table:
    """Draw one of a thousand labels, few of them frequent, and a number around the label's own mean."""
    weights = 1 / np.arange(1, CATEGORIES + 1) ** 1.1
    code = rng.choice(CATEGORIES, p=weights / weights.sum(), size=rows)
    names = tuple(f"code-{one:04d}" for one in range(CATEGORIES))
    means = np.random.default_rng(7).normal(0, 3, CATEGORIES)
    columns = (
        Column("code", Kind.CATEGORICAL, categories=names),
        Column("value", Kind.NUMERIC, dtype="float64", decimals=3),
    )
    value = np.round(means[code] + rng.normal(size=rows), 3)
    return Table(Schema(columns), pd.DataFrame({"code": pd.Categorical.from_codes(code, list(names)), "value": value}))


def label_means(made: Table, truth: Table) -> float:
    """Return the mean distance of the twenty most frequent labels' means from the true ones, weighted by share."""
    top = truth.schema["code"].categories[:TOP]
    gaps, weights = [], []
    for label in top:
        own, real = (table.numbers("value")[(table.frame["code"] == label).to_numpy()] for table in (made, truth))
        gaps.append(abs(own.mean() - real.mean()) if len(own) else 3.0)
        weights.append(len(real))
    return float(np.average(gaps, weights=weights))


SHAPES: Mapping[str, Shape] = {
    "joint": Shape("two tilted clouds", "total variation over 144 cells", joint, grid_distance),
    "ring": Shape("points near a circle", "share of points off the circle", ring, off_ring),
    "atom": Shape("zero in 30 % or 90 % by label", "gap of the share of zeros", atom, zero_gap),
    "total": Shape("c = a + b, no constraint stated", "mean |c - a - b| / sd of c", total, residue),
    "categories": Shape(
        "1,000 labels with a mean each", "error of the 20 commonest labels' means", categories, label_means
    ),
}


def measure(name: str, method: str, seed: int) -> dict[str, object]:
    """Fit and draw by one method, or draw afresh, and return the row to record."""
    shape, streams = SHAPES[name], Streams(seed).child("shapes", name)
    train = shape.draw(ROWS, streams.rng("train")).narrowed()
    start = time.process_time()
    with threadpool_limits(limits=1):
        if method == FRESH:
            made = shape.draw(ROWS, streams.rng("fresh"))
        else:
            fitted = build(method, {}).fit(train, rng=streams.rng("fit"))
            made = fitted.sample(ROWS, rng=streams.rng("sample"))
    cpu = time.process_time() - start
    figure = shape.measure(made, shape.draw(TRUTH, streams.rng("truth")))
    return {"table": name, "method": method, "seed": seed, "figure": round(figure, 4), "cpu_seconds": round(cpu, 2)}


def document() -> str:
    """Return the page: one row per method, one column per table, means over seeds."""
    found = newest(read("shapes"), "table", "method", "seed")
    methods = [FRESH, *(name for name in GENERATORS if any(key[1] == name for key in found))]
    lines = [
        "# Known laws",
        "",
        "Generated by `python -m benchmarks.shapes` from `benchmarks/records/shapes.jsonl`; do not edit. Each method",
        f"learns {ROWS:,} rows of a known law, by its default settings, and draws as many; nothing is selected and",
        "no constraint is stated. Figures are means over the seeds, 0 is ideal; `fresh` is a second draw of the law",
        "itself, which no method can beat but by chance. CPU seconds are those of fit and draw, one thread.",
        "",
    ]
    lines += [f"- **{name}**: {shape.about}; {shape.figure}." for name, shape in SHAPES.items()]
    lines += ["", "| method | " + " | ".join(SHAPES) + " | CPU s | seeds |", "|" + "---|" * (len(SHAPES) + 3)]
    for method in methods:
        cells, cpu, seeds = [], [], set()
        for name in SHAPES:
            own = [row for (table, by, _seed), row in found.items() if (table, by) == (name, method)]
            seeds |= {row["seed"] for row in own}
            cpu += [float(row["cpu_seconds"]) for row in own]
            cells.append(f"{mean(float(row['figure']) for row in own):.3f}" if own else "-")
        spent = "-" if method == FRESH or not cpu else f"{mean(cpu):.1f}"
        lines.append(f"| `{method}` | " + " | ".join(cells) + f" | {spent} | {len(seeds)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure what is asked, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--tables", default=",".join(SHAPES))
    parser.add_argument("--seeds", default="0,1,2")
    ask_since(parser)
    parser.add_argument("--only-document", action="store_true")
    asked = parser.parse_args()
    done = held("shapes", "table", "method", "seed", since=asked.since)
    if not asked.only_document:
        for method in asked.methods.split(","):
            for name in asked.tables.split(","):
                for seed in (int(one) for one in asked.seeds.split(",")):
                    if (name, method, seed) not in done:
                        row = measure(name, method, seed)
                        print(row, flush=True)
                        append("shapes", row)
    DOCUMENT.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
