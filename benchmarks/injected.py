"""Inject twelve faults into real runs: is each named by its type and cause, and does the loop's own action mend it?

    python -m benchmarks.injected [--faults too_few_steps,memorisation] [--seeds 0,1,2]

The first attempt carries the fault; from there on the loop goes its own way (the portfolio's policy, the diagnosis'
actions). What it keeps is judged on certificate rows by all gates. Where it cannot end green, a run tuned by hand is
shown beside it. One line a fault and seed is appended to
records/injected.jsonl, and docs/faults.md is written from them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from benchmarks.cases import made
from benchmarks.injected_page import write_page
from benchmarks.rows import append, ask_since, held
from synth_worker.errors import TrainingFailed
from synth_worker.evaluation import measure
from synth_worker.gates import Verdict, profile
from synth_worker.generators.base import NO_NUMBER, Value
from synth_worker.generators.registry import GENERATORS
from synth_worker.loop import Drawn, Event, InlineTrainer, Task, attempts, make_attempt
from synth_worker.metrics.base import Comparison
from synth_worker.process import silent
from synth_worker.run import Attempt, Plan
from synth_worker.schema import Column, Schema
from synth_worker.search.portfolio import Ask, best_of
from synth_worker.seeds import Streams
from synth_worker.splitting import key_of, split
from synth_worker.table import Split, Table

ROWS = 6_000
ATTEMPTS = 5
KILLED = "the training process was killed (signal 9), most often because memory ran out"

Spoil = Callable[[Table, Table, np.random.Generator], Table]
"""Spoil what the first attempt drew: drawn rows, training rows, a stream of random numbers."""


@dataclass(frozen=True)
class Fault:
    """Say what is injected, and what the analysis must call it.

    ``settings`` are those of the first attempt; ``spoil`` changes what it drew; ``raises`` ends its fit.
    """

    about: str
    method: str
    failure_type: str
    cause: str
    settings: Mapping[str, Value] = field(default_factory=dict[str, Value])
    spoil: Spoil | None = None
    raises: Callable[[], Exception] | None = None
    broken: Mapping[str, str] = field(default_factory=dict[str, str])
    rename: bool = False
    public: bool = False
    by_hand: Mapping[str, Value] = field(default_factory=dict[str, Value])


def one_label(drawn: Table, _train: Table, _rng: np.random.Generator) -> Table:
    """Give every row the most frequent label of each column of labels, as a collapsed network does."""
    frame = drawn.frame.copy()
    for column in drawn.schema:
        if not column.continuous:
            codes = drawn.codes(column.name)
            usual = column.categories[int(np.bincount(codes[codes >= 0]).argmax())]
            frame[column.name] = pd.Categorical([usual] * drawn.rows, categories=list(column.categories))
    return Table(drawn.schema, frame)


def at_the_ends(drawn: Table, train: Table, rng: np.random.Generator) -> Table:
    """Clip half of the numbers to the ends of their range, as a diverged diffusion is clipped."""
    frame = drawn.frame.copy()
    for column in drawn.schema:
        if column.continuous:
            values, real = drawn.numbers(column.name).copy(), train.numbers(column.name)
            hit = rng.random(drawn.rows) < 0.5
            values[hit] = rng.choice([np.nanmin(real), np.nanmax(real)], hit.sum())
            frame[column.name] = values
    return Table(drawn.schema, frame)


def no_number() -> Exception:
    return TrainingFailed(f"the training diverged 4 times, the last time at step 25: {NO_NUMBER}")


FAULTS: dict[str, Fault] = {
    "too_few_steps": Fault(
        "`n_iter` 1, nothing to select from", "ddpm", "undertrained", "too_few_steps", {"n_iter": 1, "oversample": 1}
    ),
    "rate_too_high": Fault(
        "a learning rate 1,000 times the method's",
        "ddpm",
        "diverged",
        "learning_rate_too_high",
        {"n_iter": 60, "learning_rate_factor": 1000.0, "oversample": 1},
    ),
    "loss_no_number": Fault(
        "a fit that ends with a loss that is NaN",
        "ddpm",
        "diverged",
        "loss_no_number",
        {"n_iter": 60},
        raises=no_number,
    ),
    "header_missing": Fault(
        "columns named by the first record",
        "cart",
        "schema_mismatch",
        "header_missing",
        {"privacy": 0.8},
        rename=True,
    ),
    "memorisation": Fault(
        "trees at the faithful end of their knob", "cart", "high_dcr", "memorisation", {"privacy": 0.0}
    ),
    "epsilon_too_small": Fault(
        "`mst` at epsilon .01",
        "mst",
        "epsilon_too_low",
        "noise_too_large",
        {"epsilon": 0.01, "oversample": 1},
        public=True,
        by_hand={"domain_share": 0.01, "choice_share": 0.01, "margins_share": 0.9},
    ),
    "category_collapse": Fault(
        "only the most frequent label of each column",
        "tvae",
        "category_collapse",
        "category_collapse",
        {"n_iter": 100},
        spoil=one_label,
    ),
    "saturated_column": Fault(
        "half of the numbers at the ends of their range",
        "ddpm",
        "high_ks",
        "saturation",
        {"n_iter": 60},
        spoil=at_the_ends,
    ),
    "out_of_memory": Fault(
        "a training process that is killed", "arn", "out_of_memory", "memory", {}, raises=lambda: TrainingFailed(KILLED)
    ),
    "time_out": Fault(
        "a fit that takes longer than it may",
        "arn",
        "timeout",
        "time",
        {},
        raises=lambda: TimeoutError("the time budget ran out during the fit"),
    ),
    "wrong_dtype": Fault(
        "a column that the delivered file breaks",
        "cart",
        "schema_mismatch",
        "wrong_dtype",
        {"privacy": 0.8},
        broken={"x0": "text stands where numbers are expected"},
    ),
    "constant_column": Fault("a column of one value", "gc", "none", "none"),
}  # fmt: skip
"""The faults by name."""


@dataclass(frozen=True)
class Faulty:
    """Train as the loop does, but for the first attempt, which carries the fault."""

    own: InlineTrainer
    fault: Fault
    rng: np.random.Generator

    def train(self, plan: Plan, *, number: int, event: Event) -> Drawn:
        """Fit, and spoil what the first attempt drew."""
        if number > 1:
            return self.own.train(plan, number=number, event=event)
        if self.fault.raises is not None:
            raise self.fault.raises()
        drawn = self.own.train(plan, number=number, event=event)
        if self.fault.spoil is not None:
            spoilt = self.fault.spoil(drawn.synthetic, self.own.split.train, self.rng)
            self.own.drawn[number] = spoilt
            drawn = replace(drawn, synthetic=spoilt, losses=None)
        return replace(drawn, broken=self.fault.broken)


def table_for(fault: Fault, name: str) -> Table:
    """Return the table of a fault: made rows; with a constant column, or with names that are values."""
    table = made(ROWS)
    if name == "constant_column":
        frame = table.frame.copy()
        frame["x0"] = 1.0
        return Table(table.schema, frame)
    if fault.rename:
        first = [str(value) for value in table.frame.iloc[0]]
        own = [f"{value}.{place}" if first.index(value) < place else value for place, value in enumerate(first)]
        names = dict(zip(table.schema.names, own, strict=True))
        schema = Schema(tuple(replace(one, name=names[one.name]) for one in table.schema))
        return Table(schema, table.frame.rename(columns=names))
    if fault.public:
        return Table(Schema(tuple(_public(one, table) for one in table.schema)), table.frame)
    return table


def _public(column: Column, table: Table) -> Column:
    if not column.continuous:
        return replace(column, public=True)
    values = table.numbers(column.name)
    return replace(column, low=float(np.nanmin(values)), high=float(np.nanmax(values)), public=True)


def certified(parts: Split, drawn: Table, streams: Streams) -> Verdict:
    """Return the verdict of all gates on certificate rows."""
    assert parts.certificate is not None
    pair = Comparison.of(
        train=parts.train, holdout=parts.certificate, reference=parts.validation, synthetic=drawn, streams=streams
    )
    return measure(pair, profile("standard"), only_gated=True).verdict


def run_fault(name: str, seed: int) -> dict[str, object]:
    """Inject one fault, let the loop go on, and say how it was named and how it ended."""
    fault = FAULTS[name]
    start = time.process_time()
    parts = split(table_for(fault, name), key=key_of(f"{seed:02d}" * 32), certified=True)
    streams = Streams(seed)
    ask = Ask(fault.method, seed, ATTEMPTS, ROWS, seconds=None, learnt=parts.train.rows)
    task = Task(parts, profile("standard"), ask, streams)
    own = InlineTrainer(parts, parts.train.rows, streams, {})
    trainer = Faulty(own, fault, np.random.default_rng(seed))
    settings = {**GENERATORS[fault.method].defaults(), "oversample": 4, **fault.settings}
    first = make_attempt(task, Plan(fault.method, settings, seed, "the fault"), number=1, trainer=trainer, event=silent)
    done = [first, *attempts(task, trainer=trainer, earlier=[first])]
    best = best_of(done)
    row: dict[str, object] = {
        "fault": name,
        "seed": seed,
        "rows": ROWS,
        "named": _named(first),
        "notes": list(first.notes),
        "first": str(first.verdict) if first.verdict is not None else "no table",
        "attempts": [{"why": one.plan.why, **_named(one), "verdict": str(one.verdict)} for one in done],
        "ended": "no table" if best is None else str(certified(parts, own.drawn[best.number], streams)),
    }
    if fault.by_hand:
        settings |= dict(fault.by_hand)
        by_hand = make_attempt(
            task, Plan(fault.method, settings, seed, "by hand"), number=99, trainer=own, event=silent
        )
        row["by_hand"] = {"settings": dict(fault.by_hand), "verdict": str(by_hand.verdict)}
    return {**row, "cpu_seconds": round(time.process_time() - start, 1)}


def _named(attempt: Attempt) -> dict[str, str]:
    told = attempt.diagnosis
    return {"failure_type": str(told.failure_type), "cause": str(told.cause), "root_cause": told.root_cause}


def main() -> None:
    """Run what is asked for, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", default=",".join(FAULTS))
    parser.add_argument("--seeds", default="0,1,2")
    ask_since(parser)
    parser.add_argument("--only-document", action="store_true")
    asked = parser.parse_args()
    done = held("injected", "fault", "seed", since=asked.since)
    if not asked.only_document:
        for seed in map(int, asked.seeds.split(",")):
            for name in asked.faults.split(","):
                if (name, seed) not in done:
                    row = run_fault(name, seed)
                    print(name, row["named"], row["ended"], row["cpu_seconds"], flush=True)
                    append("injected", row)
    write_page()


if __name__ == "__main__":
    main()
