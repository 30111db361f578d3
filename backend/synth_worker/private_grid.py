"""Go through a grid of epsilons: each point is trained, charged and measured by an answer that is paid for, too.

The whole grid is laid out before anything is charged: all points with their costs must fit into the budget, or none
begins. No figure of real rows steers it: the order is that of the epsilons, no point is left out or repeated for what
it reached, and none is raised. How near a table came is told with noise; its cost is a fixed share of its point's.

OUT/epsilon-E/   a release of its own, as ``gesalp run --epsilon E`` leaves it
OUT/grid.json    the finished points; a grid that was killed goes on after them
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd

from synth_worker.errors import BadInput, TrainingFailed
from synth_worker.loop_dp import check_private, cost_of, distances
from synth_worker.privacy.accounting import gaussian_scale
from synth_worker.privacy.budget import Cost
from synth_worker.privacy.entries import Request, normalised
from synth_worker.privacy.ledger import Ledger
from synth_worker.privacy.ledger_file import FileLedger
from synth_worker.privacy.mechanisms import gaussian_counts
from synth_worker.privacy.noise import NoiseSource, opendp_noise
from synth_worker.privacy.opening import open_by_policy
from synth_worker.privacy.source import TableSource
from synth_worker.private_reading import read_private
from synth_worker.private_run import EPSILONS, PrivateAsk
from synth_worker.private_synthesis import request_of, synthesize_private
from synth_worker.process import silent
from synth_worker.schema import Schema
from synth_worker.settings import Settings
from synth_worker.storage import RUN
from synth_worker.whole import write_text_whole

FILE = "grid.json"
MEASURE_SHARE = Fraction(1, 10)
"""What telling how near a table came costs, of its point's rho, on top."""

STEPS = 1_000
"""A distance is a whole number of thousandths of a row before noise is added; the rounding adds one to it."""

TWO_SIDED = 1.96


@dataclass(frozen=True)
class GridPoint:
    """Hold one finished point: its epsilon, its folder's name, what it cost, and how near the table came.

    ``distance`` is the mean total variation between pairs of columns, 0 for equal ones, with noise; ``margin`` is the
    half width of the noise's 95 % interval.
    """

    epsilon: float
    folder: str
    rho: float
    distance: float
    margin: float


@dataclass(frozen=True)
class Grid:
    """Hold how a grid ended: its finished points, and why it ended: ``finished`` or ``time``."""

    points: tuple[GridPoint, ...]
    stopped: str


def cost_of_point(ask: PrivateAsk, schema: Schema) -> tuple[Cost, Cost]:
    """Return what a point's table costs and what measuring it costs."""
    table = cost_of(ask, schema)
    return table, Cost(max(1, math.floor(table.rho_nano * MEASURE_SHARE)))


def run_grid(
    source: str | Path | pd.DataFrame,
    ask: PrivateAsk,
    *,
    schema: Schema,
    out: Path,
    epsilons: Sequence[float] = EPSILONS,
    seconds: float | None = None,
    ledger: Ledger | None = None,
    settings: Settings | None = None,
    noise: NoiseSource | None = None,
    threads: int = 1,
    event: Callable[[Mapping[str, object]], None] = silent,
) -> Grid:
    """Train and measure a table at each epsilon (the one of ``ask`` is not looked at), charged to ``ledger``.

    ``seconds`` bounds the time: no point begins after it, and one that did not begin costs nothing. A grid that was cut
    short goes on where it ended when it is asked for again. Raises BudgetExceeded before anything is charged where all
    points together do not fit, BadInput for what cannot be a grid, and what ``synthesize_private`` raises.
    """
    start = time.monotonic()
    if ask.rows is not None or ask.attempts != 1:
        raise BadInput("a grid makes one table of a noised count of rows at each epsilon", hint="leave --rows out")
    if not epsilons or len(set(epsilons)) != len(epsilons):
        raise BadInput(f"epsilons {', '.join(map(str, epsilons)) or 'none'}", hint="name each once, as in 0.5,1,2")
    check_private(ask, schema)
    if ledger is None:
        where = settings or Settings()
        with FileLedger(where.folder, create=True) as own:
            open_by_policy(own, ask.population, settings=where, event=event)
            return run_grid(
                source,
                ask,
                schema=schema,
                out=out,
                epsilons=epsilons,
                seconds=seconds,
                ledger=own,
                noise=noise,
                threads=threads,
                event=event,
            )
    exact = opendp_noise() if noise is None else noise
    if not exact.private:
        raise TrainingFailed("the noise of the measuring was scripted: nothing is released")
    points = [replace(ask, epsilon=one) for one in sorted(epsilons)]
    request = request_of(source, replace(ask, epsilon=points[0].epsilon), schema=schema, ledger=ledger)
    done = _finished(out, request)
    left = [one for one in points if one.epsilon not in {point.epsilon for point in done}]
    total = sum((part for one in left for part in cost_of_point(one, schema)), Cost())
    event({"event": "read", "what": f"{len(left)} points of the grid cost {total} in all"})
    ledger.pools()[ask.population].check(total, principal=ask.principal)
    for one in left:
        if seconds is not None and time.monotonic() - start > seconds:
            return Grid(tuple(done), "time")
        event({"event": "read", "what": f"epsilon {one.epsilon:g}"})
        done.append(_point(source, one, schema=schema, out=out, ledger=ledger, noise=exact, threads=threads))
        _keep(out, request, done)
    return Grid(tuple(done), "finished")


def _point(
    source: str | Path | pd.DataFrame,
    ask: PrivateAsk,
    *,
    schema: Schema,
    out: Path,
    ledger: Ledger,
    noise: NoiseSource,
    threads: int,
) -> GridPoint:
    """Make, release and measure one point; a release that an interrupted grid left is measured, not made again."""
    folder = out / f"epsilon-{ask.epsilon:g}"
    if not (folder / RUN).exists():
        out.mkdir(parents=True, exist_ok=True)
        synthesize_private(source, ask, schema=schema, out=folder, ledger=ledger, threads=threads)
    card = json.loads((folder / RUN).read_text(encoding="utf-8"))
    table, measuring = cost_of_point(ask, schema)
    asked = request_of(source, ask, schema=schema, ledger=ledger)
    request = replace(asked, asked=normalised({"what": "distance of a grid's point", "of": asked.asked}))
    # What was charged and never written down is lost: a second look would be a second answer.
    receipt = ledger.spend(request, measuring, again=True)
    real = read_private(source, schema, unit=ask.privacy_unit)
    made = read_private(
        folder / str(card["table"]["file"]), Schema(tuple(one for one in schema if one.name in real.schema))
    )
    counted = TableSource(real, max_rows_per_unit=ask.max_rows_per_unit)
    (far,) = distances(counted, [made], rows=made.rows)
    sensitivity = float(STEPS * counted.sensitivity + 1)
    whole = np.array([math.floor(STEPS * far)], dtype=np.int64)
    noised = int(gaussian_counts(whole, rho=measuring.rho, sensitivity=sensitivity, noise=noise)[0])
    margin = TWO_SIDED * gaussian_scale(sensitivity=sensitivity, rho=measuring.rho)
    ledger.settle(receipt, reference=str((out / FILE).resolve()))
    unit = 2.0 * STEPS * made.rows
    return GridPoint(
        ask.epsilon, folder.name, (table + measuring).rho, round(max(noised, 0) / unit, 4), round(margin / unit, 4)
    )


def _finished(out: Path, request: Request) -> list[GridPoint]:
    """Return the points that a grid of the same request has finished."""
    path = out / FILE
    if not path.exists():
        return []
    held = json.loads(path.read_text(encoding="utf-8"))
    if held["request"] != _named(request):
        raise BadInput(f"{out} holds a grid of something else", hint="name another folder with --out")
    return [GridPoint(**row) for row in held["points"]]


def _keep(out: Path, request: Request, done: Sequence[GridPoint]) -> None:
    card = {"request": _named(request), "points": [asdict(one) for one in done]}
    write_text_whole(out / FILE, json.dumps(card, indent=1))


def _named(request: Request) -> dict[str, object]:
    """Return what makes two grids the same: all that was asked but the epsilon, and the keyed name of the data."""
    asked = json.loads(request.asked)
    del asked["epsilon"]
    return {"asked": asked, "data": request.data, "population": request.population}
