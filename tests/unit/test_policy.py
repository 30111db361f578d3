"""Promises of the policy, whatever attempts end like: nothing twice, nothing without end, no epsilon raised."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.diagnosis import Cause, FailureType
from synth_worker.gates import judge, profile
from synth_worker.generators.base import LOSS_ROSE, NO_NUMBER
from synth_worker.generators.registry import GENERATORS
from synth_worker.metrics.base import Score
from synth_worker.optimizer import Evidence, diagnose
from synth_worker.optimizing.applying import fingerprint
from synth_worker.run import Attempt, CurvePoint, Measurement, Plan
from synth_worker.search.portfolio import Ask, next_plan
from synth_worker.straying import Stray
from tests.unit.test_gates import GREEN_SCORES
from tests.unit.test_optimizer import BAD

FAILED_FITS = (
    (FailureType.TIMEOUT, "the time budget ran out"),
    (FailureType.OUT_OF_MEMORY, "the process was killed, most often because memory ran out"),
    (FailureType.UNMEASURED, f"diverged: {NO_NUMBER}"),
    (FailureType.UNMEASURED, f"diverged: {LOSS_ROSE} 1e9"),
    (FailureType.UNMEASURED, "ValueError: singular matrix"),
)
ENDINGS = st.one_of(
    st.sampled_from(FAILED_FITS),
    st.tuples(
        st.frozensets(st.sampled_from(sorted(BAD)), max_size=3),
        st.sampled_from(["", "collapsed", "saturated"]),
        st.booleans(),
        st.floats(0.5, 1.0),
    ),
)
ROWS = 4_000


def ended(number: int, plan: Plan, ending: tuple[object, ...]) -> Attempt:
    """Return an attempt of a plan that ended so."""
    bare = Evidence(plan.method, plan.hyperparameters, ROWS, 12)
    if isinstance(ending[0], FailureType):
        said = str(ending[1])
        told = diagnose(Evidence(plan.method, plan.hyperparameters, ROWS, 12, failed=ending[0], failure=said))
        return Attempt(number, plan, None, told, 1.0, 1.0, failure=said)
    bad, stray, falling, c2st = ending
    scores = {**GREEN_SCORES, "c2st_auc": Score(float(str(c2st))), **{name: BAD[name] for name in bad}}  # type: ignore[attr-defined]
    verdict = judge(scores, profile("standard"))
    odd = {
        "": (),
        "collapsed": (Stray("ward", ordered=False, lost=0.5),),
        "saturated": (Stray("age", ordered=True, ends=0.6),),
    }[str(stray)]
    losses = (4.0, 3.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.0) if falling else ()
    curve = tuple(CurvePoint(at, len(losses), held=loss, member=loss) for at, loss in enumerate(losses, start=1))
    told = diagnose(Evidence(bare.method, bare.hyperparameters, ROWS, 12, verdict, scores, curve, odd))
    return Attempt(number, plan, Measurement(scores, verdict), told, 1.0, 1.0, curve=curve)


def searched(ask: Ask, endings: Sequence[tuple[object, ...]]) -> list[Attempt]:
    """Go on until the policy or the endings end."""
    done: list[Attempt] = []
    for ending in endings:
        plan = next_plan(done, ask)
        if plan is None:
            break
        done.append(ended(len(done) + 1, plan, ending))
    return done


@settings(max_examples=150, deadline=None)
@given(method=st.sampled_from(["auto", *sorted(GENERATORS)]), endings=st.lists(ENDINGS, min_size=8, max_size=8))
def test_no_plan_is_made_twice_and_no_epsilon_is_raised(method: str, endings: list[tuple[object, ...]]) -> None:
    done = searched(Ask(method, 0, 8, ROWS, seconds=None), endings)
    plans = [fingerprint(one.plan) for one in done]
    assert len(set(plans)) == len(plans)
    assert all(one.plan.method in GENERATORS for one in done)
    assert method == "auto" or {one.plan.method for one in done} == {method}
    assert len({one.plan.hyperparameters.get("epsilon") for one in done if one.plan.method == method}) <= 1
    for one in done:
        spec = GENERATORS[one.plan.method]
        for knob in spec.knobs:
            value = one.plan.hyperparameters[knob.name]
            if isinstance(value, int | float) and not knob.choices and not isinstance(value, bool):
                assert knob.low is None or value >= knob.low
                assert knob.high is None or value <= knob.high


@settings(max_examples=60, deadline=None)
@given(endings=st.lists(ENDINGS, min_size=6, max_size=6), cut=st.integers(1, 5))
def test_the_next_plan_follows_from_the_attempts_alone(endings: list[tuple[object, ...]], cut: int) -> None:
    ask = Ask("ddpm", 3, 8, ROWS, seconds=None)
    done = searched(ask, endings)
    assert next_plan(done[:cut], ask) == (done[cut].plan if cut < len(done) else next_plan(done[:cut], ask))


def test_a_training_that_broke_is_mended_before_anything_else() -> None:
    ask = Ask("arn", 0, 8, ROWS, seconds=None)
    first = next_plan([], ask)
    assert first is not None
    broken = ended(1, first, FAILED_FITS[2])
    assert broken.diagnosis.cause is Cause.LOSS_NO_NUMBER
    second = next_plan([broken], ask)
    assert second is not None
    assert second.hyperparameters["learning_rate_factor"] == 0.1
    assert "lower learning_rate_factor" in second.why
