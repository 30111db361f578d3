"""Run other programs side by side with ours: same rows, same evaluation, one thread, default settings.

    python -m benchmarks.peers [--peers arf,ctgan] [--tables heart,adult-5k] [--seeds 0] [--rows 500] [--dry]

Each program lives in an environment of its own, which the first run makes (``peer_homes``), and is driven there by
``peer_driver``. Rows and figures are those of ``front``, so that its records compare; ``further`` figures stand beside
them, and for that reason our own points (``gc``, ``arn``, ``our tvae``, ...) can be asked for like a program. CPU
seconds are those of fit and draw, imports left out. ``--rows`` learns from fewer rows (a trial). One line per program,
table and seed is appended to records/peers.jsonl; what is on record is not run again, what failed is. Then
docs/peers.md is written.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.front import POINTS, divided, judge_point
from benchmarks.peer_exchange import hand_over, read_drawn
from benchmarks.peer_homes import HOME, PEERS, Unavailable, environment
from benchmarks.peers_page import write_peers
from benchmarks.published import PLACES
from benchmarks.rows import DATA, ROOT, append, read
from synth_worker.fitting import fit_and_sample
from synth_worker.metrics import broken_pairs, dependence, marginals, masses, trend, usefulness
from synth_worker.metrics.base import Comparison
from synth_worker.seeds import Streams
from synth_worker.table import Table

DRIVER = ROOT / "benchmarks" / "peer_driver.py"
OURS = {"gc": "gc", "cart-0.5": "cart-0.5", "arn": "arn", "ddpm": "ddpm", "our tvae": "tvae", "our ctgan": "ctgan"}
"""Our own points, by the name that they have here, as ``front`` names them: two are called as programs are."""

FURTHER = (marginals.MARGINS, marginals.DOMAIN, dependence.FAMILY, trend.FAMILY, masses.FAMILY, broken_pairs.FAMILY,
           usefulness.FAMILY)  # fmt: skip
NAMES = ("ks_mean", "tvd_mean", "missing_delta", "out_of_range", "corr_delta", "trend", "spike_delta", "rare_coverage",
         "broken_pairs", "tstr")  # fmt: skip
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "LOKY_MAX_CPU_COUNT"), "1"
)
PATIENCE_SECONDS = 2 * 3600


class Job(NamedTuple):
    """Say what one row of the record is about; ``rows`` are those learnt from."""

    peer: str
    table: str
    seed: int
    rows: int


@dataclass(frozen=True)
class Made:
    """Hold a synthetic table and what there is to record of its making."""

    synthetic: Table
    notes: Mapping[str, object]


class Failed(Exception):
    """Tell that a program gave no synthetic table; the message is its last words."""


def jobs(
    peers: Sequence[str], tables: Sequence[str], seeds: Sequence[int], *, most_rows: int | None, held: Collection[Job]
) -> list[Job]:
    """Return what is asked and not on record, table by table."""
    asked = (
        Job(peer, table, seed, min(PLACES[table].train, most_rows or PLACES[table].train))
        for table in tables
        for seed in seeds
        for peer in peers
    )
    return [job for job in asked if job not in held]


def on_record(rows: Sequence[Mapping[str, Any]]) -> set[Job]:
    """Return the jobs that ended well."""
    return {Job(row["peer"], row["table"], row["seed"], row["rows"]) for row in rows if "failed" not in row}


def drive(python: Path, folder: Path) -> dict[str, Any]:
    """Run the driver on a folder with the python of an environment and return its timings. Raises Failed."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        ended = subprocess.run(
            [str(python), str(DRIVER), str(folder)],
            env={**inherited, **ONE_THREAD, "PYTHONHASHSEED": "0", "CUDA_VISIBLE_DEVICES": ""},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"took over {PATIENCE_SECONDS} seconds") from error
    if ended.returncode:
        raise Failed(next(reversed(ended.stderr.strip().splitlines()), f"exit code {ended.returncode}")[-300:])
    return json.loads((folder / "timings.json").read_text(encoding="utf-8"))


def run_peer(
    train: Table,
    *,
    program: str,
    python: Path,
    seed: int,
    takes_missing: bool,
    more: Mapping[str, object] | None = None,
) -> Made:
    """Fit another program to ``train`` and draw as many rows; ``more`` is told to it. Raises Failed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        missing = hand_over(
            train, folder, program=program, seed=seed, rows=train.rows, takes_missing=takes_missing, more=more
        )
        timings = drive(python, folder)
        drawn = read_drawn(folder / "synthetic.csv", train.schema)
    cpu = round(timings["fit_cpu_seconds"] + timings["draw_cpu_seconds"], 2)
    filled = {"missing": missing} if missing else {}
    return Made(drawn.table, {"cpu_seconds": cpu, **timings, "wrong_dtype": drawn.wrong_dtype, **filled})


def run_ours(train: Table, *, point: str, seed: int) -> Made:
    """Fit one of our own points as ``front`` does and draw as many rows."""
    method, hyperparameters = POINTS[point]
    start = time.process_time()
    fitted = fit_and_sample(
        train, method=method, hyperparameters=hyperparameters, rows=train.rows, streams=Streams(seed).child(point)
    )
    return Made(fitted.synthetic, {"cpu_seconds": round(time.process_time() - start, 2), "wrong_dtype": 0})


def further(train: Table, holdout: Table, synthetic: Table, *, seed: int, target: str) -> dict[str, object]:
    """Return the figures of the gates that ``front`` leaves out, and ``tstr_real``: learnt from the training rows."""
    comparison = Comparison.of(
        train=train, holdout=holdout, synthetic=synthetic, streams=Streams(seed).child("peers"), target=target
    )
    with threadpool_limits(limits=1):
        scores = {name: score for family in FURTHER for name, score in family.compute(comparison).items()}
    values = {name: scores[name].value for name in NAMES}
    found: dict[str, object] = {name: None if value is None else round(value, 4) for name, value in values.items()}
    real = scores["tstr"].floor
    return {**found, "tstr_real": None if real is None else round(real, 4)}


def measure(job: Job, *, home: Path) -> dict[str, object]:
    """Run and judge one job; a program that gave nothing is recorded as failed. Raises Unavailable."""
    place = PLACES[job.table]
    train, holdout = divided(place, seed=job.seed)
    if job.rows < train.rows:
        train = train.take(np.arange(job.rows)).narrowed()
    row: dict[str, object] = job._asdict()
    try:
        if job.peer in PEERS:
            peer = PEERS[job.peer]
            made = run_peer(
                train,
                program=peer.program,
                python=environment(peer.environment, home=home),
                seed=job.seed,
                takes_missing=peer.takes_missing,
            )
        else:
            made = run_ours(train, point=OURS[job.peer], seed=job.seed)
    except Failed as error:
        return {**row, "failed": str(error)}
    figures = judge_point(train, holdout, made.synthetic, seed=job.seed)
    more = further(train, holdout, made.synthetic, seed=job.seed, target=place.target)
    return {**row, "rows_drawn": made.synthetic.rows, **made.notes, **more, **figures}


def main() -> None:
    """Run what is asked and not on record, then write the page; end with 1 where a program was left out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=",".join((*OURS, *PEERS)))
    parser.add_argument("--tables", default=",".join(PLACES))
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--rows", type=int, default=None, help="learn from at most so many rows and draw as many")
    parser.add_argument("--home", type=Path, default=HOME, help="the folder of the environments")
    parser.add_argument("--dry", action="store_true", help="say what would be run")
    parser.add_argument("--only-document", action="store_true")
    asked = parser.parse_args()
    if not asked.only_document:
        if not DATA.exists():
            sys.exit("skipped: the real tables are not beside the project")
        peers, tables = asked.peers.split(","), asked.tables.split(",")
        if unknown := ({*peers} - {*OURS, *PEERS}) | ({*tables} - {*PLACES}):
            sys.exit(f"not known: {', '.join(sorted(unknown))}; there are {', '.join((*OURS, *PEERS, *PLACES))}")
        seeds = [int(one) for one in asked.seeds.split(",")]
        todo = jobs(peers, tables, seeds, most_rows=asked.rows, held=on_record(read("peers")))
        if asked.dry:
            print("\n".join(f"{job.peer} on {job.table}, {job.rows} rows, seed {job.seed}" for job in todo))
            return
        if left_out := carry_out(todo, home=asked.home):
            write_peers()
            sys.exit("\n".join(f"left out: {why}" for why in left_out))
    write_peers()


def carry_out(todo: Sequence[Job], *, home: Path) -> list[str]:
    """Measure and record one job after the other; return why programs were left out or failed."""
    absent: dict[str, str] = {}
    failed: list[str] = []
    for job in todo:
        if job.peer in absent:
            continue
        try:
            row = measure(job, home=home)
        except Unavailable as error:
            absent[job.peer] = f"{job.peer}: {error}"
            continue
        print({key: value for key, value in row.items() if key != "se"}, flush=True)
        append("peers", row)
        if "failed" in row:
            failed.append(f"{job.peer} on {job.table}: {row['failed']}")
    return [*absent.values(), *failed]


if __name__ == "__main__":
    main()
