"""Measure what an adjustment is worth: real failing runs, the specification's action and the loop's own, five seeds.

    python -m benchmarks.adjustments [--cases short_diffusion] [--seeds 0,1,2,3,4] [--only-document]

A case is a real run that fails a gate: trained too little or too long, a code too small, leaves too small. Each seed
draws other rows and another model. An action is applied to the failing run by itself; ``loop`` lets the loop go on for
two more attempts. One line a case, seed and action is appended to records/adjustments.jsonl; docs/adjustments.md is
written from them, and OPTIMIZATION_GUIDE.md refers to it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from benchmarks.adjustments_page import write_page
from benchmarks.calibration import table_named
from benchmarks.rows import append, ask_since, held
from synth_worker.gates import profile
from synth_worker.generators.base import Value
from synth_worker.generators.registry import GENERATORS
from synth_worker.loop import InlineTrainer, Task, attempts, make_attempt
from synth_worker.process import silent
from synth_worker.run import Attempt, Plan
from synth_worker.search.portfolio import Ask, best_of
from synth_worker.seeds import Streams
from synth_worker.splitting import key_of, split
from synth_worker.table import Split

MORE_ATTEMPTS = 2
SHOWN = ("ks_mean", "corr_delta", "mia_auc", "mia_tpr", "dup_rate", "copy_excess", "dcr_share", "c2st_auc")
LOOP = "loop"


@dataclass(frozen=True)
class Case:
    """Say how a failing run is made, which gate it fails, and which actions are tried on it, by name."""

    about: str
    failure: str
    metric: str
    table: str
    rows: int
    method: str
    settings: Mapping[str, Value]
    actions: Mapping[str, Mapping[str, Value | str]] = field(default_factory=dict[str, Mapping[str, Value | str]])


LONGER = "n_iter + 100"
CASES: dict[str, Case] = {
    "short_published": Case(
        "the published diffusion after 5 iterations",
        "HIGH_KS",
        "ks_mean",
        "adult",
        3_000,
        "ddpm",
        {"n_iter": 5, "variant": "kotelnikov2023", "timesteps": 50, "oversample": 1},
        {LONGER: {"n_iter": 105}},
    ),
    "short_diffusion": Case(
        "a diffusion after 1 iteration",
        "HIGH_CORR_DELTA",
        "corr_delta",
        "adult",
        3_000,
        "ddpm",
        {"n_iter": 1, "oversample": 1},
        {
            "batch_size x 2": {"batch_size": 512},
            "width x 2": {"width": 512},
            LONGER: {"n_iter": 101},
            "oversample 4": {"oversample": 4},
        },
    ),
    "small_code": Case(
        "an autoencoder of 8 hidden units after 10 iterations",
        "HIGH_CORR_DELTA",
        "corr_delta",
        "adult",
        3_000,
        "tvae",
        {"n_iter": 10, "width": 8, "oversample": 1},
        {"batch_size x 2": {"batch_size": 512}, "width x 2": {"width": 16}, LONGER: {"n_iter": 110}},
    ),
    "short_adversary": Case(
        "an adversarial network after 3 iterations",
        "HIGH_CORR_DELTA",
        "corr_delta",
        "adult",
        3_000,
        "ctgan",
        {"n_iter": 3, "oversample": 1},
        {"batch_size x 2": {"batch_size": 512}, "width x 2": {"width": 512}, LONGER: {"n_iter": 103}},
    ),
    "small_leaves": Case(
        "trees at the faithful end of their knob",
        "HIGH_MIA",
        "mia_auc",
        "adult",
        3_000,
        "cart",
        {"privacy": 0.0},
        {
            "switch to ddpm": {"method": "ddpm", "n_iter": 300},
            "switch to mst, epsilon 1": {"method": "mst", "epsilon": 1.0},
            "switch to mst, epsilon 2": {"method": "mst", "epsilon": 2.0},
            "privacy + 0.25": {"privacy": 0.25},
        },
    ),
    "long_autoencoder": Case(
        "an autoencoder after 1,500 iterations on few rows",
        "HIGH_MIA",
        "mia_auc",
        "adult",
        800,
        "tvae",
        {"n_iter": 1500},
        {
            "n_iter - 100": {"n_iter": 1400},
            "n_iter / 2": {"n_iter": 750},
            "switch to ddpm": {"method": "ddpm", "n_iter": 200},
            "switch to mst, epsilon 1": {"method": "mst", "epsilon": 1.0},
        },
    ),
    "copying_leaves": Case(
        "trees at the faithful end of their knob, discrete rows",
        "HIGH_DUP_RATE",
        "copy_excess",
        "randhie",
        2_500,
        "cart",
        {"privacy": 0.0},
        {
            "oversample 8": {"oversample": 8},
            "oversample 16": {"oversample": 16},
            "privacy + 0.25": {"privacy": 0.25},
        },
    ),
}
"""The failing runs by name."""


def settings_of(method: str, changes: Mapping[str, Value]) -> dict[str, Value]:
    """Return all settings of a plan; rows are selected among four times as many, save under noise and where named."""
    spec = GENERATORS[method]
    return {**spec.defaults(), "oversample": 1 if spec.guarantee else 4, **changes}


def measure_case(name: str, seed: int) -> list[dict[str, object]]:
    """Run a case with one seed: the failing run, each action, and the loop."""
    case = CASES[name]
    rng = np.random.default_rng([seed, len(name)])
    whole = table_named(case.table)
    parts = split(whole.take(rng.permutation(whole.rows)[: case.rows]), key=key_of(f"{seed:02d}" * 32), certified=True)
    first = _attempt(parts, Plan(case.method, settings_of(case.method, case.settings), seed), case=case)
    rows = [_row(name, seed, "as it failed", first)]
    for action, changes in case.actions.items():
        method = str(changes.get("method", case.method))
        kept = case.settings if method == case.method else {}
        own = {key: value for key, value in changes.items() if key != "method"}
        plan = Plan(method, settings_of(method, {**kept, **own}), seed)
        rows.append(_row(name, seed, action, _attempt(parts, plan, case=case)))
    start = time.process_time()
    task, trainer = _task(parts, case, seed), _trainer(parts, seed)
    done = [first, *attempts(task, trainer=trainer, earlier=[first])]
    best = best_of(done)
    rows.append(_row(name, seed, LOOP, first if best is None else best) | {"attempts": len(done)})
    rows[-1]["cpu_seconds"] = round(time.process_time() - start, 1)
    return rows


def _task(parts: Split, case: Case, seed: int) -> Task:
    ask = Ask(case.method, seed, 1 + MORE_ATTEMPTS, case.rows, seconds=None)
    return Task(parts, profile("standard"), ask, Streams(seed))


def _trainer(parts: Split, seed: int) -> InlineTrainer:
    return InlineTrainer(parts, parts.train.rows, Streams(seed), {})


def _attempt(parts: Split, plan: Plan, *, case: Case) -> Attempt:
    task = _task(parts, case, plan.seed)
    return make_attempt(task, plan, number=1, trainer=_trainer(parts, plan.seed), event=silent)


def _row(name: str, seed: int, action: str, attempt: Attempt) -> dict[str, object]:
    scores = {one: attempt.scores[one].value for one in SHOWN if one in attempt.scores}
    return {
        "case": name,
        "seed": seed,
        "action": action,
        "settings": dict(attempt.plan.hyperparameters),
        "method": attempt.plan.method,
        "verdict": "no table" if attempt.verdict is None else str(attempt.verdict),
        "named": [str(attempt.diagnosis.failure_type), str(attempt.diagnosis.cause)],
        "scores": scores,
        "cpu_seconds": round(attempt.cpu_seconds, 1),
    }


def main() -> None:
    """Run what is asked for, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--seeds", default="0,1,2,3,4")
    ask_since(parser)
    parser.add_argument("--only-document", action="store_true")
    asked = parser.parse_args()
    done = held("adjustments", "case", "seed", "action", since=asked.since)
    if not asked.only_document:
        for seed in map(int, asked.seeds.split(",")):
            for name in asked.cases.split(","):
                for row in [] if (name, seed, LOOP) in done else measure_case(name, seed):
                    print(name, seed, row["action"], row["verdict"], row["scores"], row["cpu_seconds"], flush=True)
                    append("adjustments", row)
    write_page()


if __name__ == "__main__":
    main()
