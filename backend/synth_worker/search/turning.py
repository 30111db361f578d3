"""Turn the knob between privacy and fidelity: which settings leak, how far to turn it, when halving is worth it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from synth_worker.gates import CROSSFIT_BELOW, FAILED, Judged, Ruling, excess
from synth_worker.generators.base import LENGTH, GeneratorSpec, Knob
from synth_worker.run import Attempt

CLOSE = 0.04
"""Knob settings nearer than this to one already tried are the same setting."""

OF_COPIES = frozenset({"copy_excess", "dup_rate"})
"""Gates that see equal rows: on a table of few different rows a network repeats them as trees do."""

FAR = 0.75
"""Share of the rest of the knob that copies turn it by: half of it seldom rules them out."""

WIDE = 0.1
"""A knob that is known to leak here and not to leak there has a gap worth halving down to this."""

TOLD = FAILED - {Ruling.UNMEASURED}
"""What speaks against a setting by evidence: that an attack could not be made, no other setting mends."""

FAR_OVER = 1.0
"""A proven privacy figure at more than twice its limit needs more than half a turn of the knob."""


@dataclass(frozen=True)
class Against:
    """Say what of privacy speaks against an attempt.

    Below 2,000 rows only evidence does, the rest is chance. From there on an estimate over its limit does too, and a
    bound beyond it: a more faithful setting cannot bring it back. ``few`` says that a setting far on the private side,
    the most private one tried, does not rule out copies either, though none show: then rows are lacking to prove it,
    and that bound speaks against none.
    """

    rulings: frozenset[Ruling]
    few: bool = False

    def leaks(self, attempt: Attempt, gates: Collection[str] | None = None) -> bool:
        """Tell whether privacy (or those gates of it) speaks against an attempt."""
        return any(
            one.ruling in self.rulings
            and (gates is None or one.metric in gates)
            and not (self.few and one.metric in OF_COPIES and one.ruling is Ruling.AMBER_PASS)
            for one in _of_privacy(attempt)
        )


def _of_privacy(attempt: Attempt) -> list[Judged]:
    rulings = () if attempt.verdict is None else attempt.verdict.rulings
    return [one for one in rulings if one.group == "privacy"]


def setting(attempt: Attempt, knob: Knob) -> float:
    """Return where the knob stood."""
    return knob.set_by(attempt.plan.hyperparameters)


def comparable(own: Sequence[Attempt], knob: Knob) -> list[Attempt]:
    """Return the attempts that ended with a table and differ from the last one in the knob alone.

    That another training was dull, or that a fit failed, says nothing of where the knob is to stand now.
    """
    same = _others(own[-1], knob.name)
    return [one for one in own if one.measurement is not None and _others(one, knob.name) == same]


def _others(attempt: Attempt, *names: str) -> dict[str, object]:
    return {name: value for name, value in attempt.plan.hyperparameters.items() if name not in names}


def against(own: Sequence[Attempt], knob: Knob | None, *, rows: int) -> Against:
    """Return what speaks against attempts of one method on a table of so many rows."""
    if rows < CROSSFIT_BELOW:
        return Against(TOLD)
    whole = Against(TOLD | {Ruling.AMBER_PASS, Ruling.AMBER_OVER})
    measured = [] if knob is None else comparable(own, knob)
    if knob is None or len(measured) < 2:
        return whole
    most = max(measured, key=lambda one: setting(one, knob))
    low, high = knob.span
    if setting(most, knob) < low + FAR * (high - low):
        return whole
    firm = Against(whole.rulings - {Ruling.AMBER_PASS})
    return Against(whole.rulings, few=whole.leaks(most, OF_COPIES) and not firm.leaks(most, OF_COPIES))


def turns_first(spec: GeneratorSpec, own: Sequence[Attempt], *, rows: int) -> bool:
    """Tell whether a method's knob is turned before a network is trained.

    It is after a leak; and where copies leaked at one setting and not at another: a network would leave the same
    copies, and take ten times as long or more. It is no longer, once the two settings are near.
    """
    if own[-1].measurement is None:
        return False
    knob = spec.tradeoff
    told = against(own, knob, rows=rows)
    if knob is None:
        return told.leaks(own[-1])
    alike = comparable(own, knob)
    leaked = told.leaks(own[-1]) or any(told.leaks(one, OF_COPIES) for one in alike)
    return leaked and _gap(knob, alike, told) > WIDE


def _gap(knob: Knob, own: Sequence[Attempt], told: Against) -> float:
    """Return how far the most private setting that leaks lies from the next one that does not, infinity without."""
    leaky = max((setting(one, knob) for one in own if told.leaks(one)), default=-math.inf)
    dull = [setting(one, knob) for one in own if not told.leaks(one)]
    return min((one - leaky for one in dull if one >= leaky), default=math.inf)


def turned(knob: Knob, own: Sequence[Attempt], *, rows: int, left: int) -> tuple[float, str] | None:
    """Return the next setting and why: the middle of what is known to leak and what is known to be dull.

    None where no setting that was not tried is worth trying; ``left`` is how many attempts there are. Attempts that
    differ in more than the knob are left out, but for shorter trainings that leak. Where no attack succeeded and one
    could not be made no setting is any better.
    """
    low, high = knob.span
    told = against(own, knob, rows=rows)
    alike = comparable(own, knob)
    if _unmeasured(alike[-1]) and not told.leaks(alike[-1]):
        return None
    tried = sorted(setting(one, knob) for one in alike)
    dull = [setting(one, knob) for one in alike if not told.leaks(one) and not _unmeasured(one)]
    shorter = [at for at in _leaky_shorter(own, knob, told) if all(at < one for one in dull)]
    leaky = [*(setting(one, knob) for one in alike if told.leaks(one)), *shorter]
    bottom = max(leaky, default=low)
    top = min((one for one in dull if one >= bottom), default=high)
    if not dull and left == 1 and _proven_excess(own[-1]) > FAR_OVER:
        aim, why = high, "an attack succeeded by far and this is the last attempt: as private as it gets"
    elif not dull:
        copied = rows >= CROSSFIT_BELOW and told.leaks(own[-1], OF_COPIES)
        why = "copies are not ruled out" if copied else "an attack succeeded"
        aim, why = _toward(bottom, high, tried, share=FAR if copied else 0.5), f"{why}: more private"
    elif not leaky:
        aim, why = _toward(min(dull), low, tried), "private enough: more faithful"
    else:
        aim, why = (bottom + top) / 2, "between a setting that leaks and one that does not"
    if aim is None or any(abs(aim - one) < CLOSE for one in tried):
        return None
    return round(aim, 4), why


def _leaky_shorter(own: Sequence[Attempt], knob: Knob, told: Against) -> list[float]:
    """Return the settings that leaked in shorter trainings, alike in all else: more steps remember no less."""
    same = _others(own[-1], knob.name, LENGTH)
    length = float(own[-1].plan.hyperparameters.get(LENGTH, 0))
    return [
        setting(one, knob)
        for one in own
        if told.leaks(one)
        and _others(one, knob.name, LENGTH) == same
        and float(one.plan.hyperparameters.get(LENGTH, 0)) < length
    ]


def _unmeasured(attempt: Attempt) -> bool:
    return any(one.ruling is Ruling.UNMEASURED for one in _of_privacy(attempt))


def _toward(start: float, end: float, tried: Sequence[float], *, share: float = 0.5) -> float | None:
    """Return a setting that far between one and the end of the range, or the end where that is near or was tried."""
    for aim in (start + share * (end - start), end):
        if all(abs(aim - one) >= CLOSE for one in tried):
            return end if abs(end - aim) < CLOSE else aim
    return None


def _proven_excess(attempt: Attempt) -> float:
    """Return the largest share by which a privacy figure is over its limit with evidence."""
    return max((excess(one) for one in _of_privacy(attempt) if one.ruling in TOLD), default=0.0)
