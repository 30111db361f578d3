"""Check the audit itself: does it notice copies of training rows that are put in on purpose?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from synth_worker.distinct import among
from synth_worker.metrics.attacks import DISTANCE_ATTACKS, NEIGHBOURS, Scene, Sight, attack, look_deep
from synth_worker.metrics.base import Comparison, Score, Scores
from synth_worker.metrics.challenge import Challenge, Contents, contents, draw_challenge, one_per_unit
from synth_worker.metrics.membership import Battery, battery_of, score_battery, too_few
from synth_worker.metrics.neighbours import nearest
from synth_worker.parsing import rounded
from synth_worker.table import Bools, Floats, Ints, Table

SHARE = 0.05
NOISE = 0.5
CHANGED = 0.3


@dataclass(frozen=True)
class Power:
    """Tell whether ``mia_auc`` and ``mia_tpr`` notice 5 % exact and 5 % jittered copies, with the scores they gave.

    ``reason`` says why nothing was checked, where nothing was; then nothing was detected either.
    """

    exact_detected: bool
    jittered_detected: bool
    exact: Scores = field(default_factory=dict[str, Score])
    jittered: Scores = field(default_factory=dict[str, Score])
    reason: str = ""


def power_check(comparison: Comparison, *, green: Callable[[Scores], bool]) -> Power:
    """Put copies in, attack again, and ask ``green`` (the gates' ruling on ``mia_auc`` and ``mia_tpr``)."""
    return pooled_power_check([comparison], green=green, alpha=comparison.alpha)


def pooled_power_check(
    comparisons: Sequence[Comparison],
    *,
    green: Callable[[Scores], bool],
    alpha: float,
    member_ids: Sequence[Ints] | None = None,
    nonmember_ids: Sequence[Ints] | None = None,
    contained: Sequence[Contents] | None = None,
) -> Power:
    """Check the power of an audit by one or more folds; the ids are those that ``run_battery`` takes.

    ``contained`` are the contents of the folds' rows where they have been hashed already.

    The copies are appended, so that they are 5 % of the table that is attacked; only the distances to them are
    measured anew. The forest and the column subsets stay out: the check errs on the side of too little power.
    """
    pairs: list[tuple[Battery, Battery]] = []
    for place, comparison in enumerate(comparisons):
        found = comparison.once(contents) if contained is None else contained[place]
        own = contained is None
        challenge = comparison.once(draw_challenge) if own else draw_challenge(comparison, found=found)
        reason = too_few(challenge, comparison)
        if reason:
            return Power(exact_detected=False, jittered_detected=False, reason=reason)
        names = (
            None if member_ids is None else member_ids[place],
            None if nonmember_ids is None else nonmember_ids[place],
        )
        scene, sight = comparison.once(look_deep) if own else look_deep(comparison, challenge)
        copied = _copied_rows(comparison, found)
        rows = comparison.train.take(copied)
        exact = sight.joined(_distances(scene, rows, comparison), _is_copied(challenge, copied, found))
        near = jittered(rows, like=comparison.train, rng=comparison.streams.rng("power", "jitter"))
        blurred = sight.joined(_distances(scene, near, comparison), np.zeros(challenge.rows, dtype=np.bool_))
        pairs.append((_battery(challenge, exact, names), _battery(challenge, blurred, names)))
    scores = tuple(score_battery([pair[kind] for pair in pairs], alpha=alpha) for kind in (0, 1))
    return Power(not green(scores[0]), not green(scores[1]), scores[0], scores[1])


def jittered(table: Table, *, like: Table, rng: np.random.Generator) -> Table:
    """Return the rows with noise of half a standard deviation on numbers and 30 % of the labels drawn anew.

    ``like`` provides standard deviations and labels. Numbers keep their decimals and bounds.
    """
    frame: dict[str, object] = {}
    for column in table.schema:
        if column.continuous:
            values, known = table.numbers(column.name), like.numbers(column.name)
            known = known[~np.isnan(known)]
            spread = float(known.std()) if len(known) else 0.0
            values = values + rng.normal(0.0, NOISE * spread, table.rows)
            if column.decimals is not None:
                values = rounded(values, column.decimals)
            frame[column.name] = np.clip(values, column.low, column.high)
        elif column.modelled:
            codes = table.codes(column.name)
            anew = rng.choice(like.codes(column.name), table.rows)
            mixed = np.where(rng.random(table.rows) < CHANGED, anew, codes)
            frame[column.name] = pd.Categorical.from_codes(mixed, dtype=pd.CategoricalDtype(list(column.categories)))
        else:
            frame[column.name] = table.frame[column.name]
    return Table(table.schema, pd.DataFrame(frame), table.units)


def _copied_rows(comparison: Comparison, found: Contents) -> Ints:
    """Return which training rows are copied: pool-unique ones where there are enough, one per unit."""
    wanted = max(round(comparison.synthetic.rows * SHARE / (1 - SHARE)), 1)
    rng = comparison.streams.rng("power", "copies")
    unique = np.flatnonzero(found.train_unique)
    eligible = unique if len(unique) >= wanted else np.arange(comparison.train.rows)
    rows = one_per_unit(comparison.train, eligible, rng=rng)
    return rng.choice(rows, min(wanted, len(rows)), replace=False)


def _is_copied(challenge: Challenge, copied: Ints, found: Contents) -> Bools:
    attacked = np.concatenate([found.train[challenge.members], found.held[challenge.nonmembers]])
    return among(attacked, found.train[copied])


def _distances(scene: Scene, rows: Table, comparison: Comparison) -> Floats:
    return nearest(scene.records, scene.space.encode(rows), count=NEIGHBOURS, threads=comparison.threads)


def _battery(challenge: Challenge, sight: Sight, names: tuple[Ints | None, Ints | None]) -> Battery:
    scores = {name: attack(name, sight) for name in DISTANCE_ATTACKS}
    return battery_of(challenge, scores, isolation=sight.isolation, member_ids=names[0], nonmember_ids=names[1])
