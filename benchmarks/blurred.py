"""Attack jittered copies knowing exactly how they were blurred: how much can be told from them at most?

    python -m benchmarks.blurred [--tables adult,flchain,made] [--rows 5000] [--trials 20] [--seed 0]

The trials are those of case ``jittered`` of ``calibration``. The attacker knows the law of the blur (half a standard
deviation on numbers, rounded and held within bounds, 30 % of the labels drawn anew) and holds rows of the table that
the run does not: up to 4,000 beside the validation rows. A record is the more suspect, the more blurred rows it
explains better than those do: the sum over blurred rows of the density of the row given the record, divided by its
mean density given the rows held. For many rows that is the likelihood ratio of "one of them was this record" (Neyman
and Pearson 1933). One line per trial goes to records/blurred.jsonl: its AUC with the standard error, and that of the
battery's strongest distance attack.
"""

from __future__ import annotations

import argparse
import math
import sys

import numpy as np
from scipy.special import ndtr

from benchmarks.calibration import compared, drawn, table_named
from benchmarks.cases import all_jittered, joined
from benchmarks.ladder import write_page
from benchmarks.rows import DATA, EVER, append, ask_since, held
from synth_worker.metrics.attacks import DISTANCE_ATTACKS, attack, look_deep
from synth_worker.metrics.challenge import draw_challenge
from synth_worker.metrics.confidence import delong_variance
from synth_worker.metrics.power import CHANGED, NOISE
from synth_worker.table import Floats, Table

MOST_HELD = 4_000
BLOCK = 500
ABSENT = 30.0
"""Minus the logarithm of the density of a number that is missing on one side only: the blur never does that."""


def log_density(blurred: Table, given: Table, *, like: Table) -> Floats:
    """Return the log-probability of each blurred row given each row, shape (given, blurred).

    ``like`` is the table whose standard deviations and labels the blur took (``power.jittered``). Numbers are rounded
    to their decimals and held within their bounds: their probability is that of the interval that ends there.
    """
    total = np.zeros((given.rows, blurred.rows), dtype=np.float32)
    for column in like.schema:
        if column.continuous:
            known = like.numbers(column.name)
            scale = NOISE * float(np.nanstd(known)) or 1.0
            one, other = (table.numbers(column.name) for table in (given, blurred))
            step = 1e-3 * scale if column.decimals is None else 10.0**-column.decimals
            low = np.where(other <= _or(column.low, -np.inf), -np.inf, other - step / 2)
            high = np.where(other >= _or(column.high, np.inf), np.inf, other + step / 2)
            known_one = np.nan_to_num(one)[:, None]
            share = ndtr((high - known_one) / scale) - ndtr((low - known_one) / scale)
            found = np.log(np.maximum(share, 1e-30))
            absent = np.isnan(one)[:, None], np.isnan(other)
            found[absent[0] != absent[1]] = -ABSENT
            total += np.where(absent[0] & absent[1], 0.0, found).astype(np.float32)
        elif column.modelled:
            codes = like.codes(column.name) + 1
            share = np.bincount(codes, minlength=len(column.categories) + 1) / len(codes)
            own = blurred.codes(column.name) + 1
            anew = CHANGED * share[own]
            same = given.codes(column.name)[:, None] + 1 == own
            total += np.where(same, np.log(1 - CHANGED + anew), np.log(anew)).astype(np.float32)
    return total.astype(np.float64)


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def suspicion(records: Table, blurred: Table, held: Table, *, like: Table) -> Floats:
    """Return how suspect each record is, shape (records,)."""
    shares = log_density(blurred, held, like=like)
    top = shares.max(axis=0)
    usual = top + np.log(np.exp(shares - top).mean(axis=0))
    found: list[Floats] = []
    for at in range(0, records.rows, BLOCK):
        part = records.take(np.arange(at, min(at + BLOCK, records.rows)))
        found.append(np.logaddexp.reduce(log_density(blurred, part, like=like) - usual, axis=1))
    return np.concatenate(found)


def measure(name: str, rows: int, *, seed: int, number: int) -> dict[str, object]:
    """Attack one trial."""
    run, others = drawn(table_named(name), rows, seed=seed, number=number)
    comparison = compared(run, others, all_jittered, seed=seed * 100_000 + number)
    challenge = comparison.once(draw_challenge)
    _, sight = comparison.once(look_deep)
    sides = comparison.train.take(challenge.members), comparison.holdout.take(challenge.nonmembers)
    count = sides[0].rows
    reference = comparison.reference
    assert reference is not None
    held = joined(reference, others.take(np.arange(min(others.rows, MOST_HELD))))
    members, nonmembers = (suspicion(side, comparison.synthetic, held, like=comparison.train) for side in sides)
    auc, variance = delong_variance(members, nonmembers)
    battery = [attack(one, sight) for one in DISTANCE_ATTACKS]
    return {
        "table": name,
        "rows": rows,
        "seed": seed,
        "trial": number,
        "held": held.rows,
        "members": count,
        "nonmembers": sides[1].rows,
        "auc": round(auc, 4),
        "se": round(math.sqrt(variance), 4),
        "battery": round(max(delong_variance(own[:count], own[count:])[0] for own in battery), 4),
    }


def main() -> None:
    """Attack what is not on record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default="adult,flchain,made")
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    ask_since(parser, default=EVER)
    asked = parser.parse_args()
    if not DATA.exists():
        sys.exit("skipped: the real tables are not beside the project")
    done = held("blurred", "table", "rows", "seed", "trial", since=asked.since)
    for name in asked.tables.split(","):
        for number in range(asked.trials):
            if (name, asked.rows, asked.seed, number) not in done:
                row = measure(name, asked.rows, seed=asked.seed, number=number)
                print(row, flush=True)
                append("blurred", row)
    write_page()


if __name__ == "__main__":
    main()
