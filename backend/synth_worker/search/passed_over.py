"""Say which attempt was far more realistic than the one delivered, and was passed over only for want of evidence.

Green goes before amber: a table that is over no limit, but whose rows are too few to prove it, loses to one that proves
it, however far from real that one is. Who would rather have the other has to know that it is there.
"""

from __future__ import annotations

from collections.abc import Sequence

from synth_worker.gates import Judged, Light
from synth_worker.run import Attempt
from synth_worker.search.portfolio import detection_of

WORTH = 0.1
"""A difference in C2ST below which nobody needs to be told."""


def passed_over(attempts: Sequence[Attempt], best: Attempt | None, *, asked: str) -> str:
    """Return a sentence on the most realistic attempt that is over no limit, or nothing where none is far better.

    ``best`` is the attempt that is delivered, ``asked`` the method that was asked for.

    >>> passed_over((), None, asked="auto")
    ''
    """
    if best is None or best.verdict is None or best.verdict.light is not Light.GREEN:
        return ""
    known = [(detection_of(one), one) for one in attempts if one.number != best.number and _lacks_only_rows(one)]
    if not known:
        return ""
    least, other = min(known, key=lambda one: (one[0], one[1].number))
    own = detection_of(best)
    if own - least < WORTH:
        return ""
    way = (
        f"; to have that one judged on rows that it never saw: --method {other.plan.method}"
        if asked != other.plan.method
        else ""
    )
    lacking = ", ".join(one.metric for one in _short(other))
    return (
        f"attempt {other.number} ({other.plan.method}) was far harder to tell from real rows (C2ST {least:.2f} against "
        f"{own:.2f} on validation rows) and over no limit, but these rows are too few to prove {lacking}: so attempt "
        f"{best.number} ({best.plan.method}), which proves all gates, was delivered{way}"
    )


def _lacks_only_rows(attempt: Attempt) -> bool:
    verdict = attempt.verdict
    return verdict is not None and verdict.light is Light.AMBER and verdict.may_release


def _short(attempt: Attempt) -> Sequence[Judged]:
    return () if attempt.verdict is None else attempt.verdict.failures
