"""Judge scores: the only place where a threshold stands.

A gate compares a score with its limit *and* with its evidence. Green needs the estimate and its upper bound within
their limits; red needs the estimate over its limit and evidence against chance; everything between is amber and
names the rows that would decide. Amber is ``amber_over``, and no release, where the estimate is over its limit and
fresh real rows seldom show as much, or over its upper limit at all. The limits, and why they are what they are:
``docs/gates.md``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from synth_worker.errors import UnknownName
from synth_worker.ladder import rows_to_pass, rows_to_prove
from synth_worker.metrics.base import Score, Scores

ALPHA_RED = 0.002
"""A red ruling on privacy needs p below this (Bonferroni is already inside the p of a battery)."""

ALPHA_CHANCE = 0.05
"""An estimate between its limit and its upper limit that fresh rows show more often than this is ruled as chance."""

ALPHA_NULL = 0.0025
"""A red ruling on utility below 2,000 rows needs a smaller chance than this under sampling noise: four gates, 1 %."""

CROSSFIT_BELOW = 2_000
"""Below this many rows the procedure is cross-fitted instead of certified on rows set aside."""

SMALL_CELL = 5
"""Counts of real records below this are merged in whatever may leave the house."""

BALANCE_LEAST = 10
"""A label needs so many real rows to be given another share: after the split enough to be learnt as a label."""

GOOD_C2ST = 0.54
"""``auto`` stops at a green candidate whose C2ST has an upper bound of no more than this."""

WARN_C2ST = 0.75
"""Above this detection AUC the report says in plain words that the table is told from real data easily."""

POWERED_ROWS = 2_000
"""From this many certificate rows on, missing 5 % injected copies is a defect of the audit, not a lack of rows."""


class Ruling(StrEnum):
    """Say what one gate found."""

    GREEN = "green"
    AMBER_PASS = "amber_pass"
    AMBER_OVER = "amber_over"
    RED = "red"
    SUSPICIOUS = "suspicious"
    UNMEASURED = "unmeasured"
    NOT_APPLICABLE = "not applicable"


class Light(StrEnum):
    """Say what all gates together found."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


FAILED = frozenset({Ruling.RED, Ruling.SUSPICIOUS, Ruling.UNMEASURED})
EXIT_CODES: Mapping[Light, int] = {Light.GREEN: 0, Light.AMBER: 4, Light.RED: 3}


@dataclass(frozen=True)
class Gate:
    """Bound one metric: ``limit`` for the estimate, ``upper_limit`` for its one-sided upper bound."""

    metric: str
    limit: float
    upper_limit: float
    alpha: float = ALPHA_RED
    group: str = "privacy"


@dataclass(frozen=True)
class GateSet:
    """Hold the gates of one profile and its further demands.

    ``release_on_amber``: a release with a sentence is allowed on ``amber_pass``. ``epsilon``: a differential privacy
    guarantee at most this large is demanded. ``certified_rows``: at least so many certificate rows, or cross-fitting.
    ``cell``: the smallest count of a released aggregate.
    """

    name: str
    gates: tuple[Gate, ...]
    about: str
    release_on_amber: bool = True
    epsilon: float | None = None
    certified_rows: int = 0
    cell: int = SMALL_CELL


_STANDARD = (
    Gate("ks_mean", 0.10, 0.10, alpha=ALPHA_NULL, group="utility"),
    Gate("corr_delta", 0.10, 0.10, alpha=ALPHA_NULL, group="utility"),
    Gate("tvd_mean", 0.10, 0.10, alpha=ALPHA_NULL, group="utility"),
    Gate("missing_delta", 0.10, 0.10, alpha=ALPHA_NULL, group="utility"),
    Gate("wrong_dtype", 0.0, 0.0, group="utility"),
    Gate("mia_auc", 0.60, 0.65),
    Gate("mia_tpr", 0.03, 0.05),
    Gate("dup_rate", 0.05, 0.05),
    Gate("copy_excess", 0.005, 0.005),
    Gate("dcr_share", 0.55, 0.60),
)


def _with(gates: tuple[Gate, ...], *others: Gate) -> tuple[Gate, ...]:
    """Return the gates with those of the same metric replaced and new ones appended."""
    own = {gate.metric: gate for gate in gates}
    own.update({gate.metric: gate for gate in others})
    return tuple(own.values())


_RISKS = (
    Gate("attribute_risk", 0.09, 0.09),
    Gate("linkability_risk", 0.09, 0.09),
    Gate("singling_out_risk", 0.09, 0.09),
)

PROFILES: Mapping[str, GateSet] = {
    "standard": GateSet("standard", _STANDARD, "the specification's four gates and the tests that they miss"),
    "research": GateSet(
        "research",
        _with(
            _STANDARD,
            Gate("ks_mean", 0.12, 0.12, alpha=ALPHA_NULL, group="utility"),
            Gate("corr_delta", 0.12, 0.12, alpha=ALPHA_NULL, group="utility"),
            Gate("mia_auc", 0.65, 0.70),
            Gate("dup_rate", 0.10, 0.10),
        ),
        "wider limits for method development on data that may be shared anyway",
    ),
    "hipaa_like": GateSet(
        "hipaa_like", _STANDARD, "standard, and no released aggregate counts fewer than five", cell=5
    ),
    "gdpr_like": GateSet(
        "gdpr_like", _with(_STANDARD, _RISKS[0]), "standard, and attribute inference at most .09 above its control"
    ),
    "ema_public": GateSet(
        "ema_public",
        _with(_STANDARD, *_RISKS, Gate("outlier_auc", 0.60, 0.65)),
        "standard, and all three risks at most .09, the threshold of EMA policy 0070 and Health Canada",
    ),
    "clinical_strict": GateSet(
        "clinical_strict",
        _with(
            _STANDARD,
            Gate("ks_mean", 0.08, 0.08, alpha=ALPHA_NULL, group="utility"),
            Gate("corr_delta", 0.08, 0.08, alpha=ALPHA_NULL, group="utility"),
            Gate("mia_auc", 0.55, 0.55),
            Gate("dup_rate", 0.03, 0.03),
            Gate("outlier_auc", 0.60, 0.65),
            *_RISKS,
        ),
        "narrow limits, no release on amber, and differential privacy with epsilon at most 1",
        release_on_amber=False,
        epsilon=1.0,
        certified_rows=10_000,
    ),
}


def profile(name: str) -> GateSet:
    """Return the gates of a profile. Raises UnknownName.

    >>> profile("standard").gates[0].metric
    'ks_mean'
    """
    if name not in PROFILES:
        raise UnknownName.of("profile", name, PROFILES)
    return PROFILES[name]


@dataclass(frozen=True)
class Judged:
    """Hold the ruling on one gate, with the figures that led to it.

    ``rows_needed`` is how many records would decide an amber ruling, if the estimate stayed as it is.
    """

    metric: str
    ruling: Ruling
    reason: str
    value: float | None = None
    upper: float | None = None
    limit: float | None = None
    upper_limit: float | None = None
    group: str = "privacy"
    rows_needed: int | None = None

    @property
    def over(self) -> bool:
        """Tell whether the estimate is over its limit, whatever the evidence."""
        return self.ruling is Ruling.AMBER_OVER or (
            self.value is not None and self.limit is not None and self.value > self.limit
        )


@dataclass(frozen=True)
class Facts:
    """Hold what a verdict depends on besides scores.

    ``certified_rows``: non-member records behind the privacy figures. ``crossfitted``: the procedure was
    cross-fitted. ``epsilon``: the proven guarantee, if any. ``underpowered``: why the audit could not have seen 5 %
    copies, or empty.
    """

    certified_rows: int = 0
    crossfitted: bool = False
    epsilon: float | None = None
    underpowered: str = ""


@dataclass(frozen=True, eq=False)
class Verdict:
    """Hold all rulings and the light they add up to; compares with the light's name.

    >>> judge({}, profile("standard")) == "green"
    False
    """

    profile: str
    rulings: tuple[Judged, ...]
    light: Light
    may_release: bool

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Verdict):
            return (self.profile, self.rulings, self.light) == (other.profile, other.rulings, other.light)
        return str(self.light) == other

    def __hash__(self) -> int:
        return hash(str(self.light))

    def __str__(self) -> str:
        return str(self.light)

    @property
    def exit_code(self) -> int:
        """Return the exit code of the command line: 0 green, 4 amber, 3 red or suspicious."""
        return EXIT_CODES[self.light]

    @property
    def failures(self) -> tuple[Judged, ...]:
        """Return the rulings that are not green, worst excess first, privacy before utility."""
        bad = [one for one in self.rulings if one.ruling not in (Ruling.GREEN, Ruling.NOT_APPLICABLE)]
        order = {Ruling.SUSPICIOUS: 0, Ruling.RED: 0, Ruling.UNMEASURED: 1, Ruling.AMBER_OVER: 2, Ruling.AMBER_PASS: 3}
        return tuple(sorted(bad, key=lambda one: (order[one.ruling], one.group != "privacy", -excess(one))))


def excess(judged: Judged) -> float:
    """Return by how much of its limit an estimate is over (or, below zero, under) it."""
    if judged.value is None or judged.limit is None or not math.isfinite(judged.value):
        return math.inf
    return (judged.value - judged.limit) / max(judged.limit, 0.01)


def rule(gate: Gate, score: Score | None) -> Judged:
    """Rule on one gate.

    A missing score, None and NaN are unmeasured; a gate is never passed by them.

    >>> rule(Gate("ks_mean", 0.1, 0.1), Score(0.02, upper=0.03)).ruling
    <Ruling.GREEN: 'green'>
    >>> rule(Gate("ks_mean", 0.1, 0.1), None).ruling
    <Ruling.UNMEASURED: 'unmeasured'>
    """
    blank = Judged(gate.metric, Ruling.UNMEASURED, "", None, None, gate.limit, gate.upper_limit, gate.group)
    if score is None:
        return replace(blank, reason="the figure was not computed")
    if not score.applicable:
        return replace(blank, ruling=Ruling.NOT_APPLICABLE, reason=score.reason)
    if score.value is None or not math.isfinite(score.value):
        return replace(blank, reason=score.reason or "the figure is not a number")
    filled = replace(blank, value=score.value, upper=score.upper)
    if score.suspicious:
        return replace(filled, ruling=Ruling.SUSPICIOUS, reason=score.reason)
    if score.value > gate.limit:
        return _rule_over(gate, score, filled)
    if score.upper is None or math.isnan(score.upper):
        return replace(filled, ruling=Ruling.AMBER_PASS, reason="within the limit, but it has no upper bound")
    if score.upper <= gate.upper_limit:
        return replace(filled, ruling=Ruling.GREEN, reason="the estimate and its upper bound are within their limits")
    return replace(
        filled,
        ruling=Ruling.AMBER_PASS,
        reason=f"within the limit, but its upper bound {score.upper:.3f} is above {gate.upper_limit:g}",
        rows_needed=rows_to_pass(score, upper_limit=gate.upper_limit),
    )


def _rule_over(gate: Gate, score: Score, filled: Judged) -> Judged:
    """Rule on an estimate above its limit: red with evidence, else amber."""
    if score.p_value is not None:
        proven = score.p_value < gate.alpha
    else:
        # No test of its own: the interval is the evidence; without an interval the estimate stands as it is.
        proven = gate.group == "utility" or score.low is None or score.low > gate.limit
    if proven:
        return replace(filled, ruling=Ruling.RED, reason=f"{score.value:.3f} is over its limit {gate.limit:g}")
    needed = rows_to_prove(score, alpha=gate.alpha)
    if score.p_value is not None and score.p_value >= ALPHA_CHANCE and (score.value or 0.0) <= gate.upper_limit:
        return replace(
            filled,
            ruling=Ruling.AMBER_PASS,
            reason=f"{score.value:.3f} is over its limit {gate.limit:g} by no more than fresh real rows often show",
            rows_needed=needed,
        )
    return replace(
        filled,
        ruling=Ruling.AMBER_OVER,
        reason=f"{score.value:.3f} is over its limit {gate.limit:g}, but so few rows could show that by chance",
        rows_needed=needed,
    )


def judge(scores: Scores, gates: GateSet, *, facts: Facts | None = None) -> Verdict:
    """Rule on every gate of a profile; no gates is no pass, and amber is never green.

    ``facts`` come with a certificate; None (inside the loop) leaves the profile's demands on the certificate out.
    """
    rulings = [rule(gate, scores.get(gate.metric)) for gate in gates.gates]
    if facts is not None:
        if facts.underpowered:
            # What an audit that sees nothing calls chance is no excuse.
            rulings = [
                replace(one, ruling=Ruling.AMBER_OVER) if one.over and one.ruling is Ruling.AMBER_PASS else one
                for one in rulings
            ]
        rulings += _demands(gates, facts)
    kinds = {one.ruling for one in rulings}
    if not rulings or kinds & FAILED:
        light = Light.RED
    elif kinds & {Ruling.AMBER_PASS, Ruling.AMBER_OVER}:
        light = Light.AMBER
    elif kinds == {Ruling.NOT_APPLICABLE}:
        light = Light.RED
    else:
        light = Light.GREEN
    passing = light is Light.GREEN or (
        light is Light.AMBER and gates.release_on_amber and Ruling.AMBER_OVER not in kinds
    )
    return Verdict(gates.name, tuple(rulings), light, passing)


def _demands(gates: GateSet, facts: Facts) -> list[Judged]:
    """Rule on what a profile demands of the certificate itself."""
    found: list[Judged] = []
    if facts.underpowered:
        found.append(Judged("power", Ruling.AMBER_PASS, facts.underpowered))
    if gates.certified_rows and not facts.crossfitted and facts.certified_rows < gates.certified_rows:
        found.append(
            Judged(
                "certified_rows",
                Ruling.AMBER_OVER,
                f"{facts.certified_rows} certificate rows; profile {gates.name} demands {gates.certified_rows}",
                float(facts.certified_rows),
                limit=float(gates.certified_rows),
                rows_needed=gates.certified_rows,
            )
        )
    if gates.epsilon is not None and (facts.epsilon is None or not facts.epsilon <= gates.epsilon):
        given = "none is given" if facts.epsilon is None else f"epsilon is {facts.epsilon:g}"
        found.append(
            Judged(
                "dp_epsilon",
                Ruling.RED,
                f"profile {gates.name} demands differential privacy with epsilon at most {gates.epsilon:g}; {given}",
                facts.epsilon,
                limit=gates.epsilon,
            )
        )
    return found
