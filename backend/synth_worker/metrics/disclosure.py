"""Measure WP29's three criteria: is a secret guessed, are halves linked, is a person singled out - better than chance?

Every attack is run on training records and, as its control, on held-out ones: what works on both is knowledge about
people in general. Risk = (attack - control) / (1 - control) (Giomi et al. 2023, "anonymeter", section 4).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from synth_worker.errors import BadInput
from synth_worker.metrics.attack_space import Points, Space, on_axes
from synth_worker.metrics.base import Better, Comparison, Family, Metric, Score, Scores
from synth_worker.metrics.challenge import sample_rows, synthetic_space
from synth_worker.metrics.confidence import clustered_variance
from synth_worker.metrics.evidence import Difference, share_difference, upper_tail
from synth_worker.metrics.neighbours import nearest_index
from synth_worker.metrics.singling_out import singling_out
from synth_worker.table import Bools, Floats, Ints, Table

MOST = 2_000
SECRETS = 6
CLOSE = 0.05
LEAST_RECORDS = 10


def compute(comparison: Comparison) -> Scores:
    """Run the three attacks on at most ``MOST`` training and as many held-out records, one per unit."""
    streams = comparison.streams.child("disclosure")
    held = comparison.holdout
    attacked = (
        comparison.train.take(sample_rows(comparison.train, most=MOST, rng=streams.rng("members"))),
        held.take(sample_rows(held, most=MOST, rng=streams.rng("control"))),
    )
    if comparison.synthetic.rows == 0:
        raise BadInput("the synthetic table is empty")
    if min(table.rows for table in attacked) < LEAST_RECORDS:
        reason = f"{attacked[0].rows} training and {attacked[1].rows} held-out records; at least {LEAST_RECORDS} needed"
        return {metric.name: Score.unmeasured(reason) for metric in METRICS}
    space = comparison.once(synthetic_space)
    if len(space.columns) < 2:
        reason = "with one column there is nothing to know a record by and nothing to infer"
        narrow = {name: Score.not_applicable(reason) for name in ("attribute_risk", "linkability_risk")}
        return {**narrow, "singling_out_risk": singling_out(comparison)}
    synthetic = space.encode(comparison.synthetic)
    return {
        "attribute_risk": attribute_inference(comparison, attacked, synthetic=synthetic),
        "linkability_risk": linkability(comparison, attacked, synthetic=synthetic),
        "singling_out_risk": singling_out(comparison),
    }


def attribute_inference(comparison: Comparison, attacked: tuple[Table, Table], *, synthetic: Points) -> Score:
    """Guess a secret column from all others by the nearest synthetic record, for up to ``SECRETS`` secrets.

    A number is guessed where it is within 5 % of the column's range. The score pools the secrets (a leak of whole
    records shows in all of them), each record counting as one; ``detail`` has the risk of each secret.
    """
    space = comparison.once(synthetic_space)
    points = np.concatenate([space.encode(table) for table in attacked])
    secrets = _secrets(space, comparison)
    hits: tuple[list[Bools], list[Bools]] = ([], [])
    for secret in secrets:
        axes = space.axes([place for place in range(len(space.columns)) if place != secret])
        both = nearest_index(on_axes(points, axes), on_axes(synthetic, axes), threads=comparison.threads)
        guesses = np.split(both, [attacked[0].rows])
        for table, guess, found in zip(attacked, guesses, hits, strict=True):
            found.append(_is_right(comparison.synthetic, guess, table, name=space.columns[secret].name))
    rates = [np.stack(found).astype(np.float64) for found in hits]
    detail = {
        f"secret:{space.columns[secret].name}": _risk(float(rates[0][place].mean()), float(rates[1][place].mean()))
        for place, secret in enumerate(secrets)
    }
    return _score(rates[0].mean(axis=0), rates[1].mean(axis=0), alpha=comparison.alpha, detail=detail)


def linkability(comparison: Comparison, attacked: tuple[Table, Table], *, synthetic: Points) -> Score:
    """Link two random halves of a record's columns: do both have the same synthetic record as their nearest?"""
    space = comparison.once(synthetic_space)
    order = comparison.streams.rng("disclosure", "halves").permutation(len(space.columns))
    halves = [space.axes(np.sort(part).tolist()) for part in np.array_split(order, 2)]

    points = np.concatenate([space.encode(table) for table in attacked])
    one, other = (
        nearest_index(on_axes(points, axes), on_axes(synthetic, axes), threads=comparison.threads) for axes in halves
    )
    success = np.split((one == other).astype(np.float64), [attacked[0].rows])
    return _score(success[0], success[1], alpha=comparison.alpha, detail={})


def _secrets(space: Space, comparison: Comparison) -> Sequence[int]:
    """Choose the secrets: categorical columns first, then numbers; a seeded choice where there are too many."""
    rng = comparison.streams.rng("disclosure", "secrets")
    order: list[int] = []
    for wanted in (False, True):
        places = [place for place, column in enumerate(space.columns) if column.continuous is wanted]
        order += rng.permutation(np.array(places, dtype=np.int64)).tolist()
    return sorted(order[:SECRETS])


def _is_right(synthetic: Table, guess: Ints, truth: Table, *, name: str) -> Bools:
    if not synthetic.schema[name].continuous:
        return synthetic.codes(name)[guess] == truth.codes(name)
    real, guessed = truth.numbers(name), synthetic.numbers(name)[guess]
    column = synthetic.schema[name]
    if column.low is not None and column.high is not None:
        reach = CLOSE * (column.high - column.low)
    else:
        known = synthetic.numbers(name)
        known = known[~np.isnan(known)]
        reach = CLOSE * float(np.ptp(known)) if len(known) else 0.0
    with np.errstate(invalid="ignore"):
        close = np.abs(real - guessed) <= reach
    return close | (np.isnan(real) & np.isnan(guessed))


def _risk(attack: float, control: float) -> float:
    return (attack - control) / (1 - control) if control < 1 else 0.0


def _score(attack: Floats, control: Floats, *, alpha: float, detail: Mapping[str, float]) -> Score:
    """Turn each record's success (a share, where it was attacked several times) into a risk with its interval."""
    one, other = float(attack.mean()), float(control.mean())
    # Several attacks on one record are no independent trials: the rows that the interval counts are those that would
    # give independent trials the same variance.
    rows = [_effective_rows(values) for values in (attack, control)]
    reach = share_difference(one, rows[0], other, rows[1], alpha=alpha)
    variance = sum(clustered_variance((values - values.mean()) / len(values)) for values in (attack, control))
    scaled = _scaled(reach, 1 - other)
    return Score(
        _risk(one, other),
        low=scaled.low,
        high=scaled.high,
        upper=scaled.upper,
        p_value=upper_tail((one - other) / math.sqrt(variance)) if variance > 0 else 1.0,
        floor=0.0,
        rows=len(control),
        detail={"attack": one, "real": other, **detail},
    )


def _scaled(reach: Difference, room: float) -> Difference:
    """Divide a difference by what control leaves to be gained; with nothing left there is no risk to add."""
    if room <= 0:
        return Difference(0.0, 0.0, 0.0, 0.0)
    return Difference(
        reach.value / room, max(reach.low / room, -1.0), min(reach.high / room, 1.0), min(reach.upper / room, 1.0)
    )


def _effective_rows(values: Floats) -> float:
    share, variance = float(values.mean()), float(values.var())
    plain = share * (1 - share)
    return len(values) * (plain / variance if variance > 0 else 1.0)


METRICS = (
    Metric(
        "attribute_risk",
        Better.LOWER,
        "how much better a secret value is guessed for training than for held-out records",
        group="privacy",
    ),
    Metric(
        "linkability_risk",
        Better.LOWER,
        "how much better two halves of a record are linked for training than for held-out records",
        group="privacy",
    ),
    Metric(
        "singling_out_risk",
        Better.LOWER,
        "how much better a description from the synthetic table fits exactly one training than one held-out record",
        group="privacy",
    ),
)

FAMILY = Family("disclosure", METRICS, compute)
