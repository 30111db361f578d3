"""Train on a GPU and draw; judge what was drawn, there or on another machine; write it beside the published figures.

    python -m benchmarks.gpu --train FOLDER [--runs ddpm,arn-large] [--seeds 0] [--seconds 300]
    python -m benchmarks.gpu --judge FOLDER
    python -m benchmarks.gpu --only-document

The table is Adult whole: nine tenths are learnt, the rest is held out. ``--train`` leaves one table and one file of
facts per run in FOLDER: seconds of wall clock for fit and draw, the device, its peak memory. ``--seconds`` ends a
training early, as a user's own limit would. ``--judge`` measures each table and appends a line to records/gpu.jsonl;
the commit is that of the judge. One process trains at a time unless several are started, which ``beside`` then says.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from benchmarks.expected import judged
from benchmarks.front import divided
from benchmarks.gpu_page import write_gpu
from benchmarks.published import Place
from benchmarks.rows import append, read
from synth_worker.evaluation import evaluate_tables
from synth_worker.fitting import fit_and_sample
from synth_worker.generators.base import Progress, Signal, Value
from synth_worker.reading import read_like
from synth_worker.seeds import Streams
from synth_worker.writing import write_table

WHOLE = Place("adult", "income", 29_305, 3_256)
"""All rows of Adult: nine tenths to learn from, the rest held out."""

LARGE = {"batch_size": 1024, "width": 512, "layers": 3}

RUNS: Mapping[str, tuple[str, Mapping[str, Value]]] = {
    "ddpm": ("ddpm", {"n_iter": 600, "batch_size": 256}),
    "ddpm-large": ("ddpm", {"n_iter": 600, **LARGE}),
    "arn-large": ("arn", {"n_iter": 300, **LARGE}),
    "ddpm-kotelnikov2023": (
        "ddpm",
        {"variant": "kotelnikov2023", "n_iter": 876, "batch_size": 4096, "width": 1024, "layers": 4},
    ),
    "ddpm-wide": ("ddpm", {"n_iter": 600, "batch_size": 4096, "width": 1024, "layers": 3}),
    "tvae": ("tvae", {"n_iter": 300, "batch_size": 1024, "width": 256}),
    "ctgan": ("ctgan", {"n_iter": 300, "batch_size": 1024}),
}
"""What is trained: a method and its hyper-parameters. 876 iterations of the published variant are its 30,000 steps."""


def until(seconds: float) -> Callable[[Progress, object], Signal]:
    """Return a watch that ends a training after so many seconds."""
    end = time.monotonic() + seconds

    def watch(progress: Progress, sample: object) -> Signal:
        return Signal.STOP if progress.done and time.monotonic() > end else Signal.GO_ON

    return watch


def train(run: str, seed: int, folder: Path, *, seconds: float, beside: int) -> None:
    """Fit and draw; leave the table and the facts in a folder."""
    method, hyperparameters = RUNS[run]
    rows, _ = divided(WHOLE, seed=seed)
    torch.cuda.init()
    torch.cuda.reset_peak_memory_stats()
    streams = Streams(seed).child("gpu")
    clock = time.monotonic()
    fitted = fit_and_sample(
        rows, method=method, hyperparameters=hyperparameters, rows=1, streams=streams, watch=until(seconds)
    )
    fit = time.monotonic() - clock
    clock = time.monotonic()
    drawn = fitted.generator.sample(rows.rows, rng=streams.rng("drawn"))
    inner = getattr(fitted.generator, "inner", fitted.generator)
    looks = getattr(inner, "looks", ())
    facts = {
        "run": run,
        "seed": seed,
        "method": method,
        "hyperparameters": dict(hyperparameters),
        "device": torch.cuda.get_device_name(),
        "torch": str(torch.__version__),
        "fit_seconds": round(fit, 1),
        "draw_seconds": round(time.monotonic() - clock, 1),
        "steps": looks[-1].step if looks else None,
        "ended": getattr(inner, "ended", ""),
        "peak_mib": round(torch.cuda.max_memory_allocated() / 2**20),
        "beside": beside,
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_table(drawn, folder / f"{run}-{seed}.parquet")
    (folder / f"{run}-{seed}.json").write_text(json.dumps(facts), encoding="utf-8")
    print(facts, flush=True)


def judge(facts: Mapping[str, object], drawn: Path) -> dict[str, object]:
    """Measure a drawn table against the rows that were learnt and held out."""
    seed = int(str(facts["seed"]))
    learnt, holdout = divided(WHOLE, seed=seed)
    synthetic, _ = read_like(drawn, learnt.schema)
    found = evaluate_tables(
        train=learnt, holdout=holdout, synthetic=synthetic, target=WHOLE.target, seed=seed, threads=1
    )
    kinds = [column.continuous for column in learnt.schema]
    return {
        "rows": learnt.rows,
        "columns": len(kinds),
        "numbers": sum(kinds),
        "held_out": holdout.rows,
        **judged(found),
    }


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path)
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--runs", default=",".join(RUNS), help=f"of {', '.join(RUNS)}")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--beside", type=int, default=0, help="other processes that train on this GPU meanwhile")
    parser.add_argument("--only-document", action="store_true", help="write the page, judge nothing")
    asked = parser.parse_args()
    if asked.train is not None:
        for run in asked.runs.split(","):
            for seed in (int(one) for one in asked.seeds.split(",")):
                train(run, seed, asked.train, seconds=asked.seconds, beside=asked.beside)
        return
    if asked.judge is not None and not asked.only_document:
        for path in sorted(asked.judge.glob("*.json")):
            facts = json.loads(path.read_text(encoding="utf-8"))
            if any(facts.items() <= row.items() for row in read("gpu")):
                continue
            row = {**facts, **judge(facts, path.with_suffix(".parquet"))}
            print(row, flush=True)
            append("gpu", row)
    write_gpu()


if __name__ == "__main__":
    main()
