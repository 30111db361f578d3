"""Judge a synthetic table that is too long to hold: figures of all rows where sums suffice, of samples elsewhere.

All rows are read twice, once column by column and once in batches. Margins, missing shares, associations, joint
distributions and exact copies are those of all rows. Attacks, distances and classifiers look at a sample of each table,
the same share of the training and of the synthetic rows; an attacked record's exact equals are looked for among all
rows, so that copies show as in the whole table. See docs/decisions/0011.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from synth_worker.errors import BadInput
from synth_worker.evaluation import Step, check_power, measure, unheard
from synth_worker.gates import Facts, profile
from synth_worker.in_turn import in_turn
from synth_worker.longfile import PART, LongFile, long_rows, one_domain, open_long, rows_at
from synth_worker.metrics.association import Design, pairs_of
from synth_worker.metrics.base import Comparison, Score, Scores
from synth_worker.metrics.challenge import Contents
from synth_worker.metrics.dependence import Dependence, shuffled
from synth_worker.metrics.duplicates import count_copies, score_copies, score_duplicates
from synth_worker.metrics.long_margins import Long, margin_scores
from synth_worker.metrics.long_pairs import Frame, Totals, dealt, pair_scores, totals_of
from synth_worker.metrics.membership import run_battery, score_battery
from synth_worker.reading import read_table
from synth_worker.run import Certificate, PowerCheck
from synth_worker.schema import Schema
from synth_worker.seeds import Streams
from synth_worker.table import Ints, Table

LONG = 500_000
"""A table of more rows is evaluated without being held."""

SAMPLE = 50_000
"""Rows of the longer of training and synthetic table that attacks and classifiers see; the shorter gives its share."""

WHAT = ("counting the values", "one pass over all rows", "attacks on a sample")


def is_long(sources: Sequence[object], *, above: int = LONG) -> bool:
    """Tell whether all sources are Parquet files and one of them has more rows than are held."""
    paths = [Path(one) for one in sources if isinstance(one, str | Path)]
    if len(paths) < len(sources) or not all(one.suffix.lower() == ".parquet" and one.is_file() for one in paths):
        return False
    return max(long_rows(one) for one in paths) > above


# One BLAS thread: sums must not depend on how many share them, and threads at small products mostly wait.
@threadpool_limits.wrap(limits=1, user_api="blas")
def evaluate_long(
    *,
    train: Path,
    holdout: Path,
    synthetic: Path,
    schema: Schema | None = None,
    profile_name: str = "standard",
    target: str | None = None,
    seed: int = 0,
    threads: int = 2,
    step: Step = unheard,
    sample: int = SAMPLE,
    part: int = PART,
) -> Certificate:
    """Judge a synthetic table by three Parquet files of any length; rows are the unit.

    ``threads`` columns are counted, and as many parts of about ``part`` rows passed over, side by side; no figure
    depends on how many they are.
    Raises BadInput for an empty file, BadSchema and UnreadableTable where the files do not match.
    """
    start = time.monotonic()
    gates, streams = profile(profile_name), Streams(seed).child("evaluate")
    rows = {path: long_rows(path) for path in (train, holdout, synthetic)}
    for path, count in rows.items():
        if count < 2:
            raise BadInput(f"{path.name} holds {count} rows; at least 2 are needed", hint="is this all?")
    step(WHAT[0], 0, len(WHAT))
    share = min(sample / max(rows[train], rows[synthetic]), 1.0)
    picks = [
        _picked(rows[path], max(round(rows[path] * part), 2), streams.rng("sample", which))
        for path, part, which in (
            (train, share, "train"),
            (holdout, min(sample / rows[holdout], 1.0), "holdout"),
            (synthetic, share, "synthetic"),
        )
    ]
    guess = read_table(
        rows_at(train, _picked(rows[train], sample, streams.rng("schema")), threads=threads), schema=schema
    ).schema
    first = open_long(train, guess, first=True, declared=schema is not None, threads=threads)
    others = [open_long(path, first.schema, first=False, threads=threads) for path in (holdout, synthetic)]
    files = one_domain([first, *others])
    long = Long(files[0], files[1], files[2], streams)
    broken = others[1].broken
    scores: dict[str, Score] = dict(margin_scores(long, broken=broken))
    step(WHAT[1], 1, len(WHAT))
    frame = Frame.of(long, streams.rng("trend"))
    found = _passed(long, frame, picks, size=part, threads=threads)
    comparison = Comparison.of(
        train=found[0].table(),
        holdout=found[1].table(),
        synthetic=found[2].table(),
        streams=streams,
        target=target,
        threads=threads,
    )
    totals = (found[0].total(), found[1].total(), found[2].total())
    del found
    scores |= pair_scores(long, frame, totals, loose=_loose(frame, totals[0], comparison))
    whole = _contents([one.hashes for one in totals])
    step(WHAT[2], 2, len(WHAT))
    seen = replace(
        whole,
        train=whole.train[picks[0]],
        held=whole.held[picks[1]],
        train_unique=whole.train_unique[picks[0]],
        held_unique=whole.held_unique[picks[1]],
    )
    looks: tuple[Callable[[], Scores], ...] = (
        lambda: score_copies([count_copies(comparison, found=whole)], alpha=comparison.alpha),
        lambda: score_duplicates(comparison, found=whole),
        lambda: score_battery([run_battery(comparison, found=seen)], alpha=comparison.alpha),
    )
    copies, duplicates, battery = in_turn(lambda look: look(), looks, threads=threads)
    scores |= {**copies, **duplicates}
    full = set(scores)
    scores |= battery
    power, shortfall = check_power([comparison], gates, alpha=comparison.alpha, contained=[seen])
    if power is not None and share < 1:
        # Only the sampled share of the near copies of a whole table would be there to be seen.
        power = PowerCheck(power.exact_detected, jittered_detected=False, reason=power.reason)
    facts = Facts(certified_rows=comparison.holdout.rows, underpowered=shortfall)
    measurement = measure(comparison, gates, facts=facts, override=scores, step=step)
    sampled = [name for name, score in measurement.scores.items() if name not in full and score.value is not None]
    notes = () if share == 1 and rows[holdout] <= sample else (_note(sampled, files, comparison, share),)
    return Certificate(measurement, power, "given", 1, rows[holdout], time.monotonic() - start, notes=notes)


_ROLES = ("train", "holdout", "synthetic")


@dataclass(eq=False)
class _Picker:
    """Gather the rows at ascending positions while batches pass by."""

    positions: Ints
    parts: list[pd.DataFrame] = field(default_factory=list[pd.DataFrame])

    def __call__(self, start: int, table: Table) -> None:
        low, high = np.searchsorted(self.positions, [start, start + table.rows])
        self.parts.append(table.frame.iloc[self.positions[low:high] - start])


@dataclass(frozen=True, eq=False)
class _Part:
    """Hold a part of a file: whose it is (0: train, 1: holdout, 2: synthetic), its place, and the rows to gather."""

    role: int
    number: int
    file: LongFile
    picks: Ints


@dataclass(eq=False)
class _Found:
    """Add up what the parts of one file hold, in their order."""

    schema: Schema
    totals: list[Totals] = field(default_factory=list[Totals])
    hashes: list[Ints] = field(default_factory=list[Ints])
    frames: list[pd.DataFrame] = field(default_factory=list[pd.DataFrame])

    def add(self, totals: Totals, frames: Sequence[pd.DataFrame]) -> None:
        """Add one part; of its large arrays only the sums stay."""
        self.hashes.append(totals.hashes)
        self.frames += frames
        if not self.totals:
            self.totals.append(totals)
            return
        own = self.totals[0]
        np.add(own.grams, totals.grams, out=own.grams)
        np.add(own.numbers, totals.numbers, out=own.numbers)
        for pair, counts in totals.joints.items():
            own.joints[pair] += counts

    def total(self) -> Totals:
        """Return the sums over all parts, and the hashes of all rows."""
        return replace(self.totals[0], hashes=np.concatenate(self.hashes))

    def table(self) -> Table:
        """Return the gathered rows."""
        return Table(self.schema, pd.concat(self.frames, ignore_index=True))


def _passed(long: Long, frame: Frame, picks: Sequence[Ints], *, size: int, threads: int) -> list[_Found]:
    """Pass over the parts of all three files, side by side."""

    def one(part: _Part) -> tuple[Totals, list[pd.DataFrame]]:
        picker = _Picker(part.picks)
        groups = dealt(long, part.file.rows, f"{_ROLES[part.role]} {part.number}")
        return totals_of(part.file, frame, groups=groups, seen=picker), picker.parts

    files = (long.train, long.holdout, long.synthetic)
    parts = [part for role, file in enumerate(files) for part in _parts(file, role, picks[role], size=size)]
    found = [_Found(file.schema) for file in files]
    for part, (totals, frames) in zip(parts, in_turn(one, parts, threads=threads), strict=True):
        found[part.role].add(totals, frames)
    return found


def _parts(file: LongFile, role: int, picks: Ints, *, size: int) -> list[_Part]:
    found: list[_Part] = []
    start = 0
    for number, part in enumerate(file.parts(rows=size)):
        low, high = np.searchsorted(picks, [start, start + part.rows])
        found.append(_Part(role, number, part, picks[low:high] - start))
        start += part.rows
    return found


def _picked(rows: int, size: int, rng: np.random.Generator) -> Ints:
    return np.arange(rows) if size >= rows else np.sort(rng.choice(rows, size, replace=False, shuffle=False))


def _contents(hashes: Sequence[Ints]) -> Contents:
    """Number the different contents of all rows, and tell which real rows no other real row equals.

    Numbers stand for the hashes: they lie close together, so that they are looked up in a table of them all.
    """
    every = np.concatenate(hashes)
    order = np.argsort(every)
    every = every[order]
    numbers = np.empty(len(every), dtype=np.int64)
    numbers[order] = np.cumsum(np.append(False, every[1:] != every[:-1]))
    cuts = np.cumsum([len(one) for one in hashes[:2]])
    train, held, synthetic = np.split(numbers, cuts)
    often = np.bincount(numbers[: cuts[1]])
    return Contents(train, held, synthetic, often[train] == 1, often[held] == 1)


def _loose(frame: Frame, totals: Totals, comparison: Comparison) -> float:
    """Return the ``corr_delta`` of shuffled columns, from the sample: nothing but noise is left of them."""
    layout = frame.layout
    first, second = pairs_of(len(layout.names))
    own = Dependence(layout, layout.associations(totals.grams.sum(axis=0)), first, second)
    loose = shuffled(comparison.train, comparison.streams.rng("shuffled"))
    return own.delta(Design.of(layout, loose).gram()) if len(first) else 0.0


def _note(names: Sequence[str], files: Sequence[LongFile], comparison: Comparison, share: float) -> str:
    seen = [
        f"{table.rows:,} of {file.rows:,} {what} rows"
        for table, file, what in zip(
            (comparison.train, comparison.holdout, comparison.synthetic), files, ("training", "held-out", "synthetic"),
            strict=True,
        )
    ]  # fmt: skip
    return (
        f"The tables are long: {', '.join(names)} were measured on samples ({', '.join(seen)}), all other figures on "
        "all rows. Exact copies were looked for among all rows; of rows that are only near a real one, attacks saw the "
        f"sampled {share:.1%}, so that they find such a leak less often than on a table that is held whole."
    )
