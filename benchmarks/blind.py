"""Compare ways of searching on thirteen tables: the loop, random search, TPE from cold, and methods at their defaults.

    python -m benchmarks.blind [--tables iris,wine] [--seeds 0,1,2] [--ways loop,random] [--only-document]

Each way may make so many attempts on the same split, with the same generators, measured and ranked by the same code.
Time to green counts CPU seconds up to the first attempt whose validation gates are all green (below 2,000 rows, where
few rows cannot prove it, up to the first that is not red). The best attempt by the loop's ranking is measured once on
certificate rows. The loop is run twice more on the same split with other seeds: how far its own tables lie apart is
chance. One line a table, seed and way is appended to records/blind.jsonl; docs/blind.md is written from them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import optuna

from benchmarks.blind_page import AGAIN, write_page
from benchmarks.blind_tables import NAMED, load, present
from benchmarks.rows import append, ask_since, held
from synth_worker.evaluation import measure
from synth_worker.gates import CROSSFIT_BELOW, Verdict, profile
from synth_worker.generators.base import Knob, Value
from synth_worker.generators.registry import GENERATORS
from synth_worker.loop import InlineTrainer, Task, make_attempt
from synth_worker.metrics.base import Comparison
from synth_worker.optimizer import get_optimizer
from synth_worker.optimizing.applying import fingerprint
from synth_worker.process import silent
from synth_worker.run import Attempt, Plan
from synth_worker.search.portfolio import Ask, best_of, next_plan, rank
from synth_worker.seeds import Streams
from synth_worker.splitting import key_of, split

ATTEMPTS = 5
METHODS = ("gc", "cart", "arn", "ddpm", "tvae", "ctgan")
RANGES: dict[str, tuple[float, float]] = {
    "privacy": (0.0, 1.0),
    "n_iter": (20, 400),
    "width": (32, 384),
    "batch_size": (32, 512),
    "layers": (1, 3),
    "predictors": (3, 40),
    "learning_rate_factor": (0.1, 5.0),
}
"""What random search and TPE draw from: sensible values, so that neither is handicapped."""

Next = Callable[[Sequence[Attempt], Ask], Plan | None]


def loop_plan(done: Sequence[Attempt], ask: Ask) -> Plan | None:
    """Return what the project's policy proposes."""
    return next_plan(done, ask)


def random_plan(done: Sequence[Attempt], ask: Ask) -> Plan | None:
    """Draw a method and its knobs at random."""
    if len(done) >= ask.attempts:
        return None
    rng = np.random.default_rng([ask.seed, len(done)])
    method = str(rng.choice(METHODS))
    return _plan(method, {knob.name: _drawn(knob, rng) for knob in _free(method)}, ask)


def tpe_plan(done: Sequence[Attempt], ask: Ask) -> Plan | None:
    """Ask a TPE that has seen the attempts so far, method and knobs in one study."""
    if len(done) >= ask.attempts:
        return None
    sampler = optuna.samplers.TPESampler(seed=ask.seed)
    study = optuna.create_study(sampler=sampler, direction="minimize")
    for attempt in done:
        suggested = _suggest(study.ask(), ask)  # the same stream gives the same suggestions again
        assert fingerprint(suggested) == fingerprint(attempt.plan)
        study.tell(len(study.trials) - 1, _loss(attempt))
    return _suggest(study.ask(), ask)


def defaults_plan(done: Sequence[Attempt], ask: Ask) -> Plan | None:
    """Take one method after the other, in an order drawn by the seed, each as the tables suggest it."""
    order = np.random.default_rng([ask.seed, 7]).permutation(len(METHODS))
    if len(done) >= min(ask.attempts, len(METHODS)):
        return None
    method = METHODS[order[len(done)]]
    suggested = get_optimizer().suggest_hyperparameters(method=method, dataset_size=(ask.rows, 10))
    return _plan(method, suggested, ask)


WAYS: dict[str, Next] = {
    "loop": loop_plan,
    "random": random_plan,
    "tpe": tpe_plan,
    "defaults": defaults_plan,
    **dict.fromkeys(AGAIN, loop_plan),
}
OTHER_SEED = {way: 1_000 * place for place, way in enumerate(AGAIN, start=1)}
"""What is added to the seed of the search, though not of the split: the same way once more."""


def _free(method: str) -> list[Knob]:
    return [knob for knob in GENERATORS[method].knobs if knob.name in RANGES]


def _drawn(knob: Knob, rng: np.random.Generator) -> Value:
    low, high = RANGES[knob.name]
    value = rng.uniform(low, high) if low == 0 else float(np.exp(rng.uniform(np.log(low), np.log(high))))
    return round(value) if isinstance(knob.default, int) else round(value, 4)


def _suggest(trial: optuna.Trial, ask: Ask) -> Plan:
    method = str(trial.suggest_categorical("method", METHODS))
    drawn: dict[str, Value] = {}
    for knob in _free(method):
        low, high = RANGES[knob.name]
        name = f"{method}.{knob.name}"
        if isinstance(knob.default, int):
            drawn[knob.name] = trial.suggest_int(name, int(low), int(high), log=low > 0)
        else:
            drawn[knob.name] = trial.suggest_float(name, low, high, log=low > 0)
    return _plan(method, drawn, ask)


def _loss(attempt: Attempt) -> float:
    """Return one number for what ``rank`` sorts by: status first, then detection and the attack."""
    key = rank(attempt)
    return sum(part * weight for part, weight in zip(key[:4], (100.0, 10.0, 0.02, 0.1), strict=False))


def _plan(method: str, settings: dict[str, Value], ask: Ask) -> Plan:
    return Plan(method, {**GENERATORS[method].defaults(), **settings, "oversample": 4}, ask.seed, "drawn")


def settled(verdict: Verdict | None, rows: int) -> bool:
    """Tell whether an attempt is green, or on few rows not red."""
    return verdict == "green" or (verdict == "amber" and rows < CROSSFIT_BELOW)


def run_way(name: str, seed: int, way: str) -> dict[str, object]:
    """Search once, and say how long it took to green and what the best is worth."""
    table = load(name)
    parts = split(table, key=key_of(f"{seed:02d}" * 32), certified=True)
    own = seed + OTHER_SEED.get(way, 0)
    ask = Ask("auto", own, ATTEMPTS, table.rows, seconds=None, learnt=parts.train.rows)
    streams = Streams(own)
    task = Task(parts, profile("standard"), ask, streams)
    trainer = InlineTrainer(parts, parts.train.rows, streams, {})
    done: list[Attempt] = []
    green, spent = None, 0.0
    while (plan := WAYS[way](done, ask)) is not None:
        attempt = make_attempt(task, plan, number=len(done) + 1, trainer=trainer, event=silent)
        done.append(attempt)
        spent += attempt.cpu_seconds
        if green is None and settled(attempt.verdict, table.rows):
            green = (len(done), round(spent, 2))
    best = best_of(done)
    row: dict[str, object] = {
        "table": name,
        "rows": table.rows,
        "columns": len(table.schema),
        "seed": seed,
        "way": way,
        "attempts": [one.plan.method for one in done],
        "cpu_seconds": round(spent, 1),
        "green_after": None if green is None else {"attempts": green[0], "cpu_seconds": green[1]},
    }
    if best is None or parts.certificate is None:
        return {**row, "ended": "no table"}
    pair = Comparison.of(
        train=parts.train,
        holdout=parts.certificate,
        reference=parts.validation,
        synthetic=trainer.drawn[best.number],
        streams=Streams(seed).child("certificate"),
        quick=True,
    )
    found = measure(pair, profile("standard"))
    shown = {key: found.scores[key].value for key in ("c2st_auc", "mia_auc", "dcr_share") if key in found.scores}
    spread = found.scores["c2st_auc"]
    return {
        **row,
        "ended": str(found.verdict),
        "best": best.plan.method,
        "scores": shown,
        "c2st_interval": [spread.low, spread.high],
    }


def main() -> None:
    """Compare what is asked for, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default=",".join(NAMED))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--ways", default=",".join(WAYS))
    ask_since(parser)
    parser.add_argument("--only-document", action="store_true")
    asked = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    show = partial(print, flush=True)
    done = held("blind", "table", "seed", "way", since=asked.since)
    if not asked.only_document:
        for seed in map(int, asked.seeds.split(",")):
            for name in asked.tables.split(","):
                if not present(name):
                    show(f"skipped: {name} is not on this machine")
                    continue
                for way in asked.ways.split(","):
                    if (name, seed, way) in done:
                        continue
                    row = run_way(name, seed, way)
                    show({key: value for key, value in row.items() if key != "attempts"})
                    append("blind", row)
    write_page()


if __name__ == "__main__":
    main()
