"""Measure what the methods with a guarantee reach, by epsilon, on three real tables with declared domains and one made.

    nice python -m benchmarks.dp [--tables adult,parity] [--epsilons 0.5,1,2,5,10] [--seeds 0,1,2]

Half of the rows are learnt from, half held out, drawn anew for every seed; bounds and labels are those of
``dp_domains``. One line per method, table, epsilon and seed goes to records/dp.jsonl: the figures of the gates (KS,
correlation, trend, trees that tell the tables apart, TSTR), the stronger of two membership attacks, and CPU seconds of
fit and draw. What is on record is not measured again.

``--methods smartnoise-mst,smartnoise-aim`` measures another program in an environment of its own (``peer_homes``), at
the same epsilon and delta, with the same bounds declared, none of its budget spent on finding them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.dp_domains import BOUNDS, declared
from benchmarks.dp_made import parity
from benchmarks.dp_page import write_page
from benchmarks.peer_homes import PRIVATE_PEERS, Peer, environment
from benchmarks.peers import Made, run_peer
from benchmarks.rows import DATA, EVER, append, ask_since, held
from synth_worker.generators.registry import build
from synth_worker.metrics import dependence, detection, marginals, trend, usefulness
from synth_worker.metrics.attacks import attack, look_deep
from synth_worker.metrics.base import Comparison
from synth_worker.metrics.confidence import delong_variance
from synth_worker.reading import read_table
from synth_worker.seeds import Streams
from synth_worker.table import Table

FAMILIES = (marginals.MARGINS, dependence.FAMILY, trend.FAMILY, detection.FAMILY, usefulness.FAMILY)
DELTA = 1e-6
MADE = "parity"
FIGURES = ("ks_mean", "tvd_mean", "missing_delta", "corr_delta", "trend", "c2st_auc", "tstr")


def halves(name: str, *, seed: int) -> tuple[Table, Table]:
    """Return the rows to learn from and the rows held out, under a declared domain."""
    table = parity() if name == MADE else declared(read_table(Path(DATA) / f"{name}.csv").modelled(), name)
    order = np.random.default_rng([seed, 77]).permutation(table.rows)
    return table.take(order[: table.rows // 2]), table.take(order[table.rows // 2 :])


def measure(name: str, method: str, *, epsilon: float, seed: int, target: str) -> dict[str, object]:
    """Fit, draw as many rows as were learnt from, and judge."""
    train, holdout = halves(name, seed=seed)
    streams = Streams(seed).child("dp", method)
    if method in PRIVATE_PEERS:
        made = run_private_peer(train, PRIVATE_PEERS[method], epsilon=epsilon, seed=seed, bounds=BOUNDS.get(name, {}))
        seconds = {"fit_seconds": made.notes["fit_cpu_seconds"], "draw_seconds": made.notes["draw_cpu_seconds"]}
        synthetic = made.synthetic
    else:
        with threadpool_limits(limits=1):
            start = time.process_time()
            model = build(method, {"epsilon": epsilon}).fit(train, rng=streams.rng("fit"))
            fit = time.process_time() - start
            synthetic = model.sample(train.rows, rng=streams.rng("sample"))
            drawn = time.process_time() - start - fit
        seconds = {"fit_seconds": round(fit, 2), "draw_seconds": round(drawn, 2)}
    with threadpool_limits(limits=1):
        figures = judged(train, holdout, synthetic, streams=streams.child("judge"), target=target)
    return {"rows": train.rows, **figures, **seconds}


def run_private_peer(
    train: Table, peer: Peer, *, epsilon: float, seed: int, bounds: Mapping[str, tuple[float, float]]
) -> Made:
    """Fit another program that gives a guarantee, under the same declared bounds, and draw as many rows."""
    more = {"epsilon": epsilon, "delta": DELTA, "bounds": bounds}
    python = environment(peer.environment)
    return run_peer(train, program=peer.program, python=python, seed=seed, takes_missing=peer.takes_missing, more=more)


def judged(train: Table, holdout: Table, made: Table, *, streams: Streams, target: str) -> dict[str, object]:
    """Return the figures of the gates and of the stronger attack."""
    comparison = Comparison.of(train=train, holdout=holdout, synthetic=made, streams=streams, target=target, threads=1)
    found = {key: score for family in FAMILIES for key, score in family.compute(comparison).items()}
    scene, sight = comparison.once(look_deep)
    cut = len(scene.challenge.members)
    attacks = [
        delong_variance(one[:cut], one[cut:])[0] for one in (attack("distance", sight), attack("density", sight))
    ]
    values = {
        key: None if found[key].value is None else round(found[key].value or 0.0, 4) for key in FIGURES if key in found
    }
    return {**values, "attack": round(max(attacks), 4)}


def main() -> None:
    """Measure what is asked and not on record, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default=f"adult,flchain,randhie,{MADE}")
    parser.add_argument("--methods", default="mst,aim")
    parser.add_argument("--epsilons", default="0.5,1,2,5,10")
    parser.add_argument("--seeds", default="0,1,2")
    ask_since(parser, default=EVER)
    parser.add_argument("--only-document", action="store_true")
    asked = parser.parse_args()
    done = held("dp", "table", "method", "epsilon", "seed", since=asked.since)
    meta = {} if asked.only_document else json.loads((DATA / "meta.json").read_text())
    targets = {MADE: "c", **{name: one["target"] for name, one in meta.items() if "target" in one}}
    for seed in [] if asked.only_document else [int(one) for one in asked.seeds.split(",")]:
        for method in asked.methods.split(","):
            for epsilon in [float(one) for one in asked.epsilons.split(",")]:
                for table in asked.tables.split(","):
                    if (table, method, epsilon, seed) not in done:
                        row = measure(table, method, epsilon=epsilon, seed=seed, target=targets[table])
                        row = {
                            "table": table,
                            "method": method,
                            "epsilon": epsilon,
                            "delta": DELTA,
                            "seed": seed,
                            **row,
                        }
                        print(row, flush=True)
                        append("dp", row)
    write_page()


if __name__ == "__main__":
    main()
