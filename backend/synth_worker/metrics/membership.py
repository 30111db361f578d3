"""Attack membership: how well can records that were learnt from be told from records that were not?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import ndtri

from synth_worker.errors import BadInput
from synth_worker.metrics.attacks import (
    FULL_ATTACKS,
    MATCH,
    QUICK_ATTACKS,
    attack,
    forest,
    look,
    look_at_subsets,
    look_deep,
    set_scene,
)
from synth_worker.metrics.base import Better, Comparison, Family, Metric, Score, Scores
from synth_worker.metrics.challenge import Challenge, Contents, draw_challenge
from synth_worker.metrics.confidence import delong_variance, design_effect, normal_bounds
from synth_worker.metrics.evidence import (
    Draw,
    draw_p_value,
    percent_ranks,
    rank_sum,
    rank_sum_z,
    top_draw,
    tpr_at,
    upper_tail,
)
from synth_worker.table import Bools, Floats, Ints

LEAST_RECORDS = 10
"""Below this many records on a side nothing is measured."""

LEAST_ISOLATED = 20
ISOLATED_SHARES = (0.05, 0.10, 0.20)
"""The most isolated records attacked by ``outlier_auc``: 5 %, or more where that leaves too few on a side."""

TAILS = (0.01, 0.05)
FEW_NONMEMBERS = 1_000
SUSPICIOUS = 0.001


@dataclass(frozen=True, eq=False)
class Battery:
    """Hold every attack's scores on one synthetic table: name -> (members' scores, non-members' scores).

    ``isolation`` (members', non-members') is how far a record lies from other real ones. ``member_ids`` and
    ``nonmember_ids`` name the records across folds. ``reason`` says why there are no scores, where there are none.
    """

    scores: Mapping[str, tuple[Floats, Floats]] = field(default_factory=dict[str, tuple[Floats, Floats]])
    isolation: tuple[Floats, Floats] = (np.zeros(0), np.zeros(0))
    member_ids: Ints | None = None
    nonmember_ids: Ints | None = None
    unique_share: float = math.nan
    diluted: bool = False
    reason: str = ""

    @property
    def members(self) -> int:
        """Return how many members were attacked."""
        return len(self.isolation[0])

    @property
    def nonmembers(self) -> int:
        """Return how many non-members were attacked."""
        return len(self.isolation[1])


def run_battery(
    comparison: Comparison,
    *,
    member_ids: Ints | None = None,
    nonmember_ids: Ints | None = None,
    found: Contents | None = None,
) -> Battery:
    """Attack the records of a comparison; ``found`` are its rows' contents where they have been hashed already.

    ``member_ids`` (train rows,) and ``nonmember_ids`` (holdout rows,) number the records of the table that the folds
    were cut from, so that ``score_battery`` counts each record once as a member.
    """
    challenge = comparison.once(draw_challenge) if found is None else draw_challenge(comparison, found=found)
    reason = too_few(challenge, comparison)
    if reason:
        return Battery(reason=reason)
    attacks = QUICK_ATTACKS if comparison.quick else FULL_ATTACKS
    if comparison.quick:
        scene = set_scene(comparison, challenge)
        sight = look(scene, comparison, deep=False)
    else:
        scene, sight = comparison.once(look_deep) if found is None else look_deep(comparison, challenge)
        sight = replace(sight, subsets=look_at_subsets(scene, comparison))
    scores = {
        name: forest(comparison, challenge, scene.space) if name == "forest" else attack(name, sight)
        for name in attacks
    }
    if comparison.losses is not None:
        losses = comparison.losses
        scores["loss"] = -np.concatenate([losses.train[challenge.members], losses.holdout[challenge.nonmembers]])
    return battery_of(challenge, scores, isolation=sight.isolation, member_ids=member_ids, nonmember_ids=nonmember_ids)


def battery_of(
    challenge: Challenge,
    scores: Mapping[str, Floats],
    *,
    isolation: Floats,
    member_ids: Ints | None = None,
    nonmember_ids: Ints | None = None,
) -> Battery:
    """Divide scores (members first) into the two sides."""
    cut = len(challenge.members)
    return Battery(
        scores={name: (values[:cut], values[cut:]) for name, values in scores.items()},
        isolation=(isolation[:cut], isolation[cut:]),
        member_ids=None if member_ids is None else member_ids[challenge.members],
        nonmember_ids=None if nonmember_ids is None else nonmember_ids[challenge.nonmembers],
        unique_share=challenge.unique_share,
        diluted=challenge.diluted,
    )


def too_few(challenge: Challenge, comparison: Comparison) -> str:
    """Return why a comparison cannot be attacked, or an empty string."""
    least = min(len(challenge.members), len(challenge.nonmembers))
    if least < LEAST_RECORDS:
        return (
            f"{len(challenge.members)} members and {len(challenge.nonmembers)} non-members to attack; "
            f"at least {LEAST_RECORDS} of each are needed"
        )
    if comparison.synthetic.rows == 0:
        return "the synthetic table is empty"
    return ""


def score_battery(batteries: Sequence[Battery], *, alpha: float) -> dict[str, Score]:
    """Return ``mia_auc``, ``mia_advantage``, ``mia_tpr`` and ``outlier_auc`` from the batteries of one or more folds.

    Fold AUCs are averaged, their standard error is sqrt(sum of DeLong variances) / folds. In the tail scores compare by
    their rank within the fold; a record counts in every fold in which it was learnt from, and its hits are clustered.
    Among isolated records each counts once as a member. ``alpha`` is the one-sided level of the upper bounds, divided
    by the number of attacks for an AUC.
    """
    if not batteries:
        raise BadInput("no fold was attacked")
    reason = next((battery.reason for battery in batteries if battery.reason), "")
    if reason:
        return {metric.name: Score.unmeasured(reason) for metric in METRICS}
    area = _score_auc(batteries, alpha=alpha)
    return {
        "mia_auc": area,
        "mia_advantage": _advantage(area),
        "mia_tpr": _score_tpr(_pool(batteries, once=False), alpha=alpha),
        "outlier_auc": _score_outliers(_pool(batteries, once=True), alpha=alpha),
    }


def compute(comparison: Comparison) -> Scores:
    """Attack one synthetic table and score the attacks."""
    return score_battery([run_battery(comparison)], alpha=comparison.alpha)


def _score_auc(batteries: Sequence[Battery], *, alpha: float) -> Score:
    names = list(batteries[0].scores)
    count, folds = len(names), len(batteries)
    value: dict[str, float] = {}
    error: dict[str, float] = {}
    z: dict[str, float] = {}
    for name in names:
        parts = [delong_variance(*battery.scores[name]) for battery in batteries]
        value[name] = math.fsum(one for one, _ in parts) / folds
        error[name] = math.sqrt(math.fsum(variance for _, variance in parts)) / folds
        z[name] = rank_sum_z([rank_sum(*battery.scores[name]) for battery in batteries])
    best = max(names, key=lambda name: value[name])
    below = [
        name
        for name in names
        if name != MATCH and value[name] < 0.5 and min(2 * upper_tail(-z[name]) * count, 1.0) < SUSPICIOUS
    ]
    bounds = normal_bounds(value[best], error[best], alpha=alpha)
    reach = float(ndtri(1 - alpha / count))
    return Score(
        value[best],
        low=bounds.low,
        high=bounds.high,
        upper=min(max(value[name] + reach * error[name] for name in names), 1.0),
        p_value=min(min(upper_tail(z[name]) for name in names) * count, 1.0),
        floor=0.5,
        reason=_below_half(below, value),
        suspicious=bool(below),
        rows=sum(battery.nonmembers for battery in batteries),
        detail={
            **{f"attack:{name}": value[name] for name in names},
            **{f"se:{name}": error[name] for name in names},
            "members": float(sum(battery.members for battery in batteries)),
            "nonmembers": float(sum(battery.nonmembers for battery in batteries)),
            "pool_unique_share": float(np.mean([battery.unique_share for battery in batteries])),
            "diluted": float(any(battery.diluted for battery in batteries)),
            "folds": float(folds),
        },
    )


def _below_half(names: Sequence[str], value: Mapping[str, float]) -> str:
    if not names:
        return ""
    worst = min(names, key=lambda name: value[name])
    return (
        f"attack {worst} scores members below non-members (AUC {value[worst]:.3f}): the metric or the split is broken, "
        "or samples near to members were filtered out"
    )


def _advantage(area: Score) -> Score:
    if area.value is None:
        return area
    return Score(2 * abs(area.value - 0.5), floor=0.0, rows=area.rows)


@dataclass(frozen=True, eq=False)
class _Pool:
    """Hold all folds' records with scores as ranks within their fold; arrays over records.

    ``ids`` name the members across folds, shape (members,), or None where no record can be in two folds.
    """

    ranks: Mapping[str, Floats]
    isolation: Floats
    member: Bools
    fold: Ints
    ids: Ints | None


def _pool(batteries: Sequence[Battery], *, once: bool) -> _Pool:
    """Join the folds; ``once`` counts each record as a member in the first of its folds only."""
    counted = np.zeros(0, dtype=np.int64)
    kept: list[Bools] = []
    names: list[Ints] = []
    for battery in batteries:
        fresh = np.ones(battery.members, dtype=np.bool_)
        if battery.member_ids is not None:
            names.append(battery.member_ids)
        if once and battery.member_ids is not None:
            fresh = ~np.isin(battery.member_ids, counted)
            counted = np.concatenate([counted, battery.member_ids])
        kept.append(np.append(fresh, np.ones(battery.nonmembers, dtype=np.bool_)))

    def gather(pick: Callable[[Battery], tuple[Floats, Floats]]) -> Floats:
        # Ranks are taken before records are dropped, so that they are fair within each fold.
        return np.concatenate(
            [percent_ranks(np.concatenate(pick(one)))[own] for one, own in zip(batteries, kept, strict=True)]
        )

    sides = [np.arange(battery.members + battery.nonmembers) < battery.members for battery in batteries]
    return _Pool(
        ranks={name: gather(lambda battery, name=name: battery.scores[name]) for name in batteries[0].scores},
        isolation=gather(lambda battery: battery.isolation),
        member=np.concatenate([side[own] for side, own in zip(sides, kept, strict=True)]),
        fold=np.concatenate([np.full(int(own.sum()), place) for place, own in enumerate(kept)]),
        ids=None if once or not names else np.concatenate(names),
    )


def _score_tpr(pool: _Pool, *, alpha: float) -> Score:
    names = list(pool.ranks)
    n1, n0 = int(pool.member.sum()), int((~pool.member).sum())
    fpr = TAILS[0] if n0 >= FEW_NONMEMBERS else TAILS[1]
    found: dict[str, float] = {}
    error: dict[str, float] = {}
    p_value = 1.0
    for name in names:
        scores = pool.ranks[name]
        rate = tpr_at(scores[pool.member], scores[~pool.member], fpr=fpr)
        found[name] = (rate - fpr) / (1 - fpr)
        cut = np.quantile(scores[~pool.member], 1 - fpr)
        # A record that is found in one fold may be found in all: its folds are one observation then, not several.
        records = n1 / design_effect((scores[pool.member] > cut).astype(np.float64), pool.ids)
        error[name] = math.sqrt(rate * (1 - rate) / records + fpr * (1 - fpr) / n0) / (1 - fpr)
        for share in TAILS:
            p_value = min(p_value, draw_p_value(_draws(pool, scores, share=share)))
    best = max(names, key=lambda name: found[name])
    bounds = normal_bounds(found[best], error[best], alpha=alpha, least=-1.0)
    reach = float(ndtri(1 - alpha))
    return Score(
        found[best],
        low=bounds.low,
        high=bounds.high,
        upper=min(max(found[name] + reach * error[name] for name in names), 1.0),
        p_value=min(p_value * len(TAILS) * len(names), 1.0),
        floor=0.0,
        rows=n0,
        detail={
            **{f"attack:{name}": found[name] for name in names},
            "false_alarm_rate": fpr,
            "members": float(n1 if pool.ids is None else len(np.unique(pool.ids))),
            "nonmembers": float(n0),
        },
    )


def _draws(pool: _Pool, scores: Floats, *, share: float) -> list[Draw]:
    return [
        top_draw(scores[own], pool.member[own], share=share)
        for own in (pool.fold == one for one in range(int(pool.fold.max()) + 1))
    ]


def _score_outliers(pool: _Pool, *, alpha: float) -> Score:
    names = list(pool.ranks)
    share, own = _isolated(pool)
    sides = int((own & pool.member).sum()), int((own & ~pool.member).sum())
    if min(sides) < LEAST_ISOLATED:
        return Score.unmeasured(
            f"the {share:.0%} most isolated records are {sides[0]} members and {sides[1]} non-members; "
            f"at least {LEAST_ISOLATED} of each are needed"
        )
    fold = Battery(
        scores={name: (ranks[own & pool.member], ranks[own & ~pool.member]) for name, ranks in pool.ranks.items()},
        isolation=(pool.isolation[own & pool.member], pool.isolation[own & ~pool.member]),
    )
    score = _score_auc([fold], alpha=alpha)
    detail = {name: score.detail[name] for name in (f"attack:{one}" for one in names)}
    return Score(
        score.value,
        low=score.low,
        high=score.high,
        upper=score.upper,
        p_value=score.p_value,
        floor=0.5,
        rows=sides[1],
        detail={**detail, "isolated_share": share, "members": float(sides[0]), "nonmembers": float(sides[1])},
    )


def _isolated(pool: _Pool) -> tuple[float, Bools]:
    """Return the smallest share that leaves enough records on both sides (or the largest), and which they are."""
    for share in ISOLATED_SHARES:
        own = pool.isolation >= np.quantile(pool.isolation, 1 - share)
        if min(int((own & pool.member).sum()), int((own & ~pool.member).sum())) >= LEAST_ISOLATED:
            return share, own
    return ISOLATED_SHARES[-1], pool.isolation >= np.quantile(pool.isolation, 1 - ISOLATED_SHARES[-1])


METRICS = (
    Metric(
        "mia_auc",
        Better.LOWER,
        "AUC of the strongest of the membership attacks: 0.5 is no leakage",
        group="privacy",
    ),
    Metric("mia_advantage", Better.LOWER, "twice the distance of that AUC from 0.5", group="privacy"),
    Metric(
        "mia_tpr",
        Better.LOWER,
        "share of members that an attack finds at 1 % false alarms (5 % below 1,000 non-members), above chance",
        group="privacy",
    ),
    Metric(
        "outlier_auc",
        Better.LOWER,
        "AUC of the strongest attack on the 5 % most isolated records",
        group="privacy",
    ),
)

FAMILY = Family("membership", METRICS, compute)
