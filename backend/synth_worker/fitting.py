"""Fit a generator and draw the delivered table from it: the part of an attempt that runs in a subprocess."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from synth_worker.exchange import load_table, save_table
from synth_worker.generators.base import Generator, Progress, Signal, Value
from synth_worker.keeping import build, most_rows
from synth_worker.seeds import Streams
from synth_worker.select import OVERSAMPLE, pool_rows, select_rows
from synth_worker.table import Table

Report = Callable[[Mapping[str, object]], None]


@dataclass(frozen=True)
class Fitted:
    """Hold a fitted generator and the rows drawn from it."""

    generator: Generator
    synthetic: Table


def fit_and_sample(
    train: Table,
    *,
    method: str,
    hyperparameters: Mapping[str, Value],
    rows: int,
    streams: Streams,
    threads: int = 1,
    keep: Path | None = None,
    watch: Callable[[Progress, Callable[[int], Table] | None], Signal] | None = None,
) -> Fitted:
    """Fit ``method`` on ``train`` and draw ``rows`` rows; with ``oversample`` > 1 select them from a larger draw.

    ``keep`` is the folder for checkpoints of a long training, of which an interrupted one is taken up.
    """
    own = {name: value for name, value in hyperparameters.items() if name != OVERSAMPLE}
    times = float(hyperparameters.get(OVERSAMPLE, 1))
    generator = build(method, own, train=train)
    more = {} if watch is None else {"watch": watch}
    generator.fit(train, rng=streams.rng("fit"), threads=threads, keep=keep, **more)
    pool = max(rows, min(pool_rows(rows, times=times, learnt=train.rows), most_rows(generator)))
    synthetic = generator.sample(int(pool), rng=streams.rng("sample"))
    if synthetic.rows > rows:
        synthetic = select_rows(synthetic, train=train, rows=rows, rng=streams.rng("select"), threads=threads)
    return Fitted(generator, synthetic)


def fit_job(payload: Mapping[str, object], report: Report) -> Mapping[str, object]:
    """Serve ``fit_and_sample`` in a child: tables come and go as folders, the model is saved into ``out/model``."""

    def watch(progress: Progress, _sample: Callable[[int], Table] | None) -> Signal:
        report({"done": progress.done, "total": progress.total, "what": progress.what, "loss": progress.loss})
        return Signal.GO_ON

    start = time.process_time()
    out = Path(str(payload["out"]))
    fitted = fit_and_sample(
        load_table(Path(str(payload["train"]))),
        method=str(payload["method"]),
        hyperparameters=cast("Mapping[str, Value]", payload["hyperparameters"]),
        rows=int(cast("int", payload["rows"])),
        streams=Streams(
            int(cast("int", payload["seed"])), tuple(str(one) for one in cast("list[str]", payload["path"]))
        ),
        threads=int(cast("int", payload["threads"])),
        keep=Path(str(payload["keep"])),
        watch=watch,
    )
    model = out / "model"
    model.mkdir(parents=True)
    fitted.generator.save(model)
    save_table(fitted.synthetic, out / "drawn")
    return {"rows": fitted.synthetic.rows, "cpu_seconds": time.process_time() - start}
