"""Weigh privacy against utility among the attempts of a run: its front, and the choice along it without training.

A point is an attempt with what makes it again (method, hyper-parameters, seed). It is on the front where no other
attempt that stands at least as well with the gates is as good in every objective and better in one. A choice is only
ever made among those that stand best: no weight buys a way past a gate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from synth_worker.errors import BadInput, UnknownName
from synth_worker.run import Attempt
from synth_worker.search.portfolio import best_of, rank

PREFERENCES = ("privacy", "balanced", "utility")
OBJECTIVES = ("privacy", "detection", "trend", "usefulness")
COIN = 0.5


@dataclass(frozen=True)
class Point:
    """Hold the objectives of one attempt, each a loss: 0 is best.

    ``privacy`` is twice the distance of the worst attack's upper bound from a coin toss, ``detection`` that of the
    estimate of C2ST; ``trend`` is how far dependences are off; ``usefulness`` how much worse models predict than those
    of real rows, None where that was not measured. ``standing`` is 0 for green, 1 where only rows are lacking, 2 for
    over a limit without evidence, 3 for a failed gate.
    """

    number: int
    standing: int
    privacy: float
    detection: float
    trend: float
    usefulness: float | None = None

    @property
    def losses(self) -> tuple[float, ...]:
        """Return the objectives in order; what was not measured is as bad as can be."""
        return (self.privacy, self.detection, self.trend, 1.0 if self.usefulness is None else self.usefulness)


@dataclass(frozen=True)
class Weights:
    """Say how much privacy counts, of 1; the rest is utility's."""

    privacy: Fraction

    @property
    def utility(self) -> Fraction:
        """Return what utility counts."""
        return 1 - self.privacy


def read_weights(text: str) -> Weights | None:
    """Read a preference: None for a named one, weights (scaled to a sum of 1) else.

    Raises UnknownName for a name that is none, BadInput for weights that are none.

    >>> read_weights("privacy=0.7,utility=0.3").privacy
    Fraction(7, 10)
    """
    if text in PREFERENCES:
        return None
    if "=" not in text:
        raise UnknownName.of("preference", text, PREFERENCES)
    found: dict[str, Fraction] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        try:
            weight = Fraction(value.strip())
        except (ValueError, ZeroDivisionError):
            weight = Fraction(-1)
        if name.strip() not in ("privacy", "utility") or name.strip() in found or weight < 0:
            raise BadInput(f"preference {text!r} has the part {part!r}", hint="allowed: privacy=0.7,utility=0.3")
        found[name.strip()] = weight
    total = sum(found.values(), Fraction(0))
    if len(found) != len(("privacy", "utility")) or not total:
        raise BadInput(f"preference {text!r} does not weigh both", hint="allowed: privacy=0.7,utility=0.3")
    return Weights(found["privacy"] / total)


def point_of(attempt: Attempt) -> Point | None:
    """Return an attempt as a point, None where the fit failed or an attack, detection or trend was not measured."""
    attack, detection = _score(attempt, "mia_auc", upper=True), _score(attempt, "c2st_auc")
    trend = _score(attempt, "trend")
    trend = _score(attempt, "corr_delta") if trend is None else trend
    if trend is None and _of_one_column(attempt):
        trend = 0.0
    if attempt.verdict is None or attack is None or detection is None or trend is None:
        return None
    useful = attempt.scores.get("tstr")
    usefulness = None
    if useful is not None and useful.value is not None and useful.floor is not None:
        usefulness = _within(useful.floor - useful.value)
    return Point(
        attempt.number,
        int(rank(attempt)[0]),
        privacy=_within(2 * (attack - COIN)),
        detection=_within(2 * (detection - COIN)),
        trend=_within(trend),
        usefulness=usefulness,
    )


def _of_one_column(attempt: Attempt) -> bool:
    """Tell whether a table has no two columns that could depend on each other: then none is lost."""
    score = attempt.scores.get("corr_delta")
    return score is not None and not score.applicable


def dominates(one: Point, other: Point) -> bool:
    """Tell whether a point makes another one pointless: it stands no worse, loses no more, and less somewhere."""
    better = one.losses != other.losses and all(a <= b for a, b in zip(one.losses, other.losses, strict=True))
    return one.standing <= other.standing and better


def front(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return the points that no other dominates, most private first.

    >>> [one.number for one in front([Point(1, 0, 0.1, 0.3, 0.1), Point(2, 0, 0.2, 0.3, 0.1), Point(3, 0, 0.3, 0, 0)])]
    [1, 3]
    """
    kept = [one for one in points if not any(dominates(other, one) for other in points)]
    return tuple(sorted(kept, key=lambda one: (one.losses, one.number)))


def front_of(attempts: Sequence[Attempt]) -> tuple[Point, ...]:
    """Return the front of a run's attempts."""
    return front([point for one in attempts if (point := point_of(one)) is not None])


def weighed(points: Sequence[Point], weights: Weights) -> Point | None:
    """Return the point of least weighed loss among those that stand best, None of no points.

    Utility is the mean of the objectives other than privacy that every candidate has. Exact fractions, so that more
    weight on privacy never leads to a point that is less private.
    """
    on = front(points)
    best = [one for one in on if one.standing == min(other.standing for other in on)]
    if not best:
        return None
    whole = all(one.usefulness is not None for one in best)

    def utility(point: Point) -> Fraction:
        parts = [Fraction(one) for one in (point.losses[1:] if whole else point.losses[1:3])]
        return sum(parts, Fraction(0)) / len(parts)

    def loss(point: Point) -> tuple[Fraction, Fraction, int]:
        private, useful = Fraction(point.privacy), utility(point)
        return weights.privacy * private + weights.utility * useful, private + useful, point.number

    return min(best, key=loss)


def chosen(attempts: Sequence[Attempt], *, prefer: str = "balanced") -> Attempt | None:
    """Return the attempt that a preference chooses: a name, or weights as ``privacy=0.7,utility=0.3``.

    A name goes by the order that the search itself goes by (``portfolio.rank``). None where every fit failed; where no
    attempt has all objectives, weights choose as ``balanced`` does. Raises as ``read_weights``.
    """
    weights = read_weights(prefer)
    best = best_of(attempts, prefer=prefer)
    if weights is None or best is None:
        return best
    # Where none passes, those nearest to their limits stand best: the first two figures of the order.
    own = [point for one in attempts if rank(one)[:2] == rank(best)[:2] and (point := point_of(one)) is not None]
    found = weighed(own, weights)
    return best if found is None else next(one for one in attempts if one.number == found.number)


def front_json(attempts: Sequence[Attempt]) -> list[Mapping[str, object]]:
    """Return the front as the run card holds it: each point with its objectives and what makes it again."""
    by = {one.number: one.plan for one in attempts}
    return [
        {
            "number": one.number,
            "standing": one.standing,
            **{name: getattr(one, name) for name in OBJECTIVES},
            "method": by[one.number].method,
            "hyperparameters": dict(by[one.number].hyperparameters),
            "seed": by[one.number].seed,
        }
        for one in front_of(attempts)
    ]


def _score(attempt: Attempt, name: str, *, upper: bool = False) -> float | None:
    score = attempt.scores.get(name)
    value = None if score is None else score.upper if upper else score.value
    return value if value is not None and math.isfinite(value) else None


def _within(loss: float) -> float:
    return min(max(loss, 0.0), 1.0)
