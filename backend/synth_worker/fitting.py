"""Fit a generator and draw the delivered table from it: the part of an attempt that runs in a subprocess."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from synth_worker.errors import Cancelled
from synth_worker.exchange import load_table, save_table
from synth_worker.generators.base import Generator, Value, Watch
from synth_worker.keeping import build, most_rows
from synth_worker.seeds import Streams
from synth_worker.select import OVERSAMPLE, pool_rows, select_rows
from synth_worker.table import Table
from synth_worker.watching import Watching

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
    watch: Watch | None = None,
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
    """Serve ``fit_and_sample`` in a child: tables come and go as folders, the model is saved into ``out/model``.

    After ``seconds``, where they are given, the training is told to stop.
    """
    start = time.process_time()
    out, keep = Path(str(payload["out"])), Path(str(payload["keep"]))
    seconds = cast("float | None", payload["seconds"])
    watch = Watching(
        load_table(Path(str(payload["validation"]))),
        report=report,
        keep=keep,
        deadline=None if seconds is None else time.monotonic() + seconds,
    )
    try:
        fitted = _fitted(payload, keep=keep, watch=watch)
    except Cancelled:
        return {"timed_out": "the time budget ran out before anything was learnt"}
    model = out / "model"
    model.mkdir(parents=True)
    fitted.generator.save(model)
    save_table(fitted.synthetic, out / "drawn")
    return {"rows": fitted.synthetic.rows, "cpu_seconds": time.process_time() - start}


def _fitted(payload: Mapping[str, object], *, keep: Path, watch: Watching) -> Fitted:
    return fit_and_sample(
        load_table(Path(str(payload["train"]))),
        method=str(payload["method"]),
        hyperparameters=cast("Mapping[str, Value]", payload["hyperparameters"]),
        rows=int(cast("int", payload["rows"])),
        streams=Streams(
            int(cast("int", payload["seed"])), tuple(str(one) for one in cast("list[str]", payload["path"]))
        ),
        threads=int(cast("int", payload["threads"])),
        keep=keep,
        watch=watch,
    )
