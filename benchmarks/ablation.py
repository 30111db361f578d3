"""Turn one part of sequential trees or of the selection at a time, and see what it is worth.

    python -m benchmarks.ablation [--tables adult-5k,heart] [--seeds 0,1,2] [--points full,bags] [--only-document]

Same rows and figures as ``front``; one line per variant, table and seed is appended to records/ablation.jsonl. ``full``
is the method as it is at its default setting. The page docs/ablation.md shows each variant's difference to ``full``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from benchmarks.ablation_page import write_ablation
from benchmarks.front import divided, judge_point
from benchmarks.points import collect
from benchmarks.published import PLACES
from synth_worker.generators.cart import Cart
from synth_worker.generators.cart_knobs import Strictness, strictness
from synth_worker.seeds import Streams
from synth_worker.select import STEPS, pool_rows, select_rows

DEFAULT = strictness(0.5)
TIMES = 4
VARIANTS: Mapping[str, tuple[str, Strictness, tuple[str, ...]]] = {
    "full": ("as it is", DEFAULT, STEPS),
    "bare": ("no selection among more rows", DEFAULT, ()),
    "margins": ("selection by one- and two-way margins only", DEFAULT, ("margins",)),
    "likeness": ("selection by density ratio only", DEFAULT, ("likeness",)),
    "no back-off": ("no weight on the parent node beyond the chosen one", replace(DEFAULT, backoff=0.0), STEPS),
    "no smoothing": ("numbers smoothed over hardly any ranks", replace(DEFAULT, spread=0.05), STEPS),
    "wide smoothing": ("numbers smoothed over four times the ranks", replace(DEFAULT, spread=3.2), STEPS),
    "bags": ("eight honest trees a column, each shaped by one half and filled by the other",
             replace(DEFAULT, bags=8), STEPS),
    "half leaf": ("leaves of half the size", replace(DEFAULT, leaf_factor=1.0, least=12), STEPS),
    "double leaf": ("leaves of twice the size", replace(DEFAULT, leaf_factor=4.0, least=60), STEPS),
}  # fmt: skip


def measure(table: str, variant: str, seed: int) -> dict[str, object]:
    """Fit, draw and judge one variant."""
    train, holdout = divided(PLACES[table], seed=seed)
    _, strict, steps = VARIANTS[variant]
    streams = Streams(seed).child("ablation")
    start = time.process_time()
    model = Cart({}, strict=strict).fit(train, rng=streams.rng("fit"))
    synthetic = model.sample(
        pool_rows(train.rows, times=TIMES if steps else 1, learnt=train.rows), rng=streams.rng("sample")
    )
    if synthetic.rows > train.rows:
        synthetic = select_rows(synthetic, train=train, rows=train.rows, rng=streams.rng("select"), by=steps)
    cpu = time.process_time() - start
    figures = judge_point(train, holdout, synthetic, seed=seed)
    return {"cpu_seconds": round(cpu, 2), **figures}


def main() -> None:
    """Measure what is asked, then write the page."""
    collect("ablation", about=__doc__ or "", points=VARIANTS, measure=measure)
    write_ablation({name: about for name, (about, _, _) in VARIANTS.items()})


if __name__ == "__main__":
    main()
