"""Make runs as they come out of the loop - green, amber, red, failed - around a made table, for the report's tests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from synth_worker import report
from synth_worker.diagnosis import Action, Diagnosis, FailureType
from synth_worker.gates import Facts, judge, profile
from synth_worker.metrics.base import Score
from synth_worker.run import Attempt, Certificate, DataFacts, Measurement, Options, Plan, PowerCheck, Run, SplitFacts
from synth_worker.schema import Column, Kind, Schema
from synth_worker.table import Table
from tests.tables import adult_like

SEED = 417_203
KEY = "5b1c0d9e7a"
SHA256 = "9f2d" * 16


@dataclass(frozen=True)
class Sample:
    """Hold a run with its tables."""

    run: Run
    train: Table
    holdout: Table
    synthetic: Table
    schema: Schema

    def write(self, folder: Path) -> None:
        """Write both reports."""
        report.write_reports(
            self.run,
            folder=folder,
            train=self.train,
            holdout=self.holdout,
            synthetic=self.synthetic,
            schema=self.schema,
        )


def tables(rows: int = 3_000) -> tuple[Table, Table, Table]:
    """Return train, holdout and a synthetic table that is a little off."""
    train, holdout = adult_like(rows, seed=1), adult_like(rows // 4, seed=2)
    made = adult_like(rows, seed=3)
    rng = np.random.default_rng(5)
    frame = made.frame.copy()
    frame["hours"] = np.round(made.numbers("hours") + rng.normal(0, 4, rows))
    frame["age"] = np.clip(np.round(made.numbers("age") * 1.04), 17, 90)
    frame["job"] = frame["job"].to_numpy()[rng.permutation(rows)]
    frame["job"] = pd.Categorical(frame["job"], categories=list(made.schema["job"].categories))
    return train, holdout, Table(made.schema, frame)


def schema(modelled: Schema) -> Schema:
    """Return the schema of a whole input: the modelled columns and three that nobody learnt."""
    others = (
        Column("patient_id", Kind.IDENTIFIER, note="every value once"),
        Column("remarks", Kind.TEXT),
        Column("site", Kind.CONSTANT),
    )
    return Schema((others[0], *modelled.columns, *others[1:]))


def scores(**changed: Score) -> dict[str, Score]:
    """Return the scores of a good table."""
    attacks = {"distance": 0.512, "ratio": 0.508, "density": 0.521, "forest": 0.516, "match": 0.5, "subsets": 0.511}
    found = {
        "ks_mean": Score(0.021, 0.017, 0.026, 0.025, floor=0.018, rows=3000),
        "corr_delta": Score(0.019, 0.015, 0.024, 0.023, floor=0.014, rows=3000),
        "tvd_mean": Score(0.024, 0.02, 0.029, 0.028, floor=0.02, rows=3000),
        "missing_delta": Score(0.006, 0.0, 0.012, 0.011, floor=0.005, rows=3000),
        "wrong_dtype": Score(0.0, upper=0.0),
        "out_of_range": Score(0.0),
        "corr_loss": Score(0.14, 0.11, 0.17, floor=0.09),
        "trend": Score(0.042, 0.038, 0.046, floor=0.035),
        "c2st_auc": Score(0.68, 0.655, 0.705, floor=0.502),
        "tstr": Score(0.861, 0.842, 0.88, floor=0.89, detail={"real": 0.894}),
        "spike_delta": Score(0.031),
        "broken_pairs": Score(0.012, floor=0.0),
        "rare_coverage": Score(0.96, floor=0.98),
        "mia_auc": Score(
            0.521, 0.498, 0.544, 0.547, p_value=0.11, floor=0.503, rows=750,
            detail={f"attack:{name}": value for name, value in attacks.items()},
        ),
        "mia_advantage": Score(0.042),
        "mia_tpr": Score(0.008, -0.004, 0.02, 0.022, p_value=0.3, floor=0.0, rows=750),
        "dup_rate": Score(0.001, 0.0, 0.003, 0.003, p_value=0.4, floor=0.0, rows=3000),
        "copy_excess": Score(0.0004, -0.001, 0.002, 0.0021, p_value=0.4, floor=0.0, rows=3000),
        "dcr_share": Score(0.507, 0.493, 0.521, 0.519, p_value=0.2, floor=0.5, rows=3000),
        "outlier_auc": Score(0.53, 0.44, 0.62, 0.62, p_value=0.4, rows=38),
        "attribute_risk": Score.unmeasured("no column was named as secret"),
    }  # fmt: skip
    return {**found, **changed}


def sample(
    colour: str = "green", *, mode: str = "holdout", profile_name: str = "standard", rows: int = 3_000
) -> Sample:
    """Return a run whose verdict is ``green``, ``warned`` (green, but told apart), ``amber``, ``hold``, ``red``.

    ``failed`` is a run of which no attempt ended with a table.
    """
    train, holdout, synthetic = tables(rows)
    changed: dict[str, dict[str, Score]] = {
        "green": {},
        "warned": {"c2st_auc": Score(0.93, 0.92, 0.94, floor=0.5)},
        "amber": {
            "mia_auc": replace(
                scores()["mia_auc"], value=0.561, low=0.49, high=0.63, upper=0.681, p_value=0.06, rows=120,
            )
        },
        "hold": {"mia_tpr": Score(0.041, -0.01, 0.09, 0.088, p_value=0.03, floor=0.0, rows=200)},
        "red": {
            "mia_auc": replace(
                scores()["mia_auc"], value=0.71, low=0.69, high=0.73, upper=0.732, p_value=1e-9,
                detail={"attack:distance": 0.71, "attack:forest": 0.66, "attack:loss": 0.64, "attack:match": 0.58},
            ),
            "copy_excess": Score(0.048, 0.04, 0.056, 0.057, p_value=1e-12, floor=0.0, rows=3000),
            "ks_mean": Score(0.118, 0.11, 0.126, 0.125, floor=0.018, rows=3000),
        },
        "failed": {},
    }  # fmt: skip
    gates = profile(profile_name)
    found = scores(**changed[colour])
    options = Options(profile=profile_name, seed=SEED, target="income", attempts=3)
    attempts = _attempts(colour, profile_name)
    if colour == "failed":
        synthetic = synthetic.take([])
    certificate = None
    if colour != "failed":
        facts = Facts(certified_rows=holdout.rows, crossfitted=mode == "cross-fit")
        verdict = judge(found, gates, facts=facts)
        power = PowerCheck(exact_detected=True, jittered_detected=colour not in ("amber", "hold"))
        certificate = Certificate(Measurement(found, verdict, 6.1), power, mode, 1, holdout.rows, 9.4)
    run = Run(
        options=options,
        data=DataFacts(SHA256, train.rows + 2 * holdout.rows, 18, "admissions.csv", ("the delimiter is a semicolon",)),
        split=SplitFacts(train.rows, holdout.rows, holdout.rows, mode, KEY, stratified_by="income"),
        versions={"python": "3.12.4", "gesalp": "0.1.0", "numpy": "2.3.0"},
        attempts=attempts,
        best_number=None if colour == "failed" else 2,
        certificate=certificate,
        seconds=48.2,
        cpu_seconds=71.9,
        stopped="finished",
        notes=("column 'patient_id' names records: fresh identifiers were made",),
    )
    return Sample(run, train, holdout, synthetic, schema(train.schema))


def _attempts(colour: str, profile_name: str) -> list[Attempt]:
    crash = Attempt(
        1,
        Plan("tabddpm", {"steps": 1000, "learning_rate": 0.002, "layers": 3}, 1, "first of the portfolio"),
        None,
        Diagnosis(FailureType.DIVERGED, "the loss rose from 0.9 to 14,000", (Action("halve the learning rate"),)),
        11.2,
        20.1,
        failure="the training diverged at step 310",
    )
    if colour == "failed":
        return [crash, replace(crash, number=2, plan=replace(crash.plan, method="ctgan"))]
    worse = scores(corr_delta=Score(0.16, 0.15, 0.17, 0.17, rows=3000), c2st_auc=Score(0.95))
    over = {"mia_auc": Score(0.69, 0.67, 0.71, 0.715, p_value=1e-9)} if colour == "red" else {}
    gates = profile(profile_name)
    cause = FailureType.HIGH_MIA if colour == "red" else FailureType.NONE
    told = "attack 'distance' reaches 0.69" if colour == "red" else "all gates met"
    raise_leaf = (Action("raise min_leaf from 5 to 20", "min_leaf", 15),) if colour == "red" else ()
    return [
        crash,
        Attempt(
            2,
            Plan("cart", {"min_leaf": 5, "smooth": True, "order": "by association"}, 2, "the fastest that keeps pairs"),
            Measurement(scores(**over), judge(scores(**over), gates)),
            Diagnosis(cause, told, raise_leaf),
            7.9,
            9.6,
        ),
        Attempt(
            3,
            Plan("copula", {"margins": "empirical", "shrink": 0.02}, 3, "a model that cannot copy rows"),
            Measurement(worse, judge(worse, gates)),
            Diagnosis(FailureType.HIGH_CORR_DELTA, "relations of labels are lost", (Action("switch to 'cart'"),)),
            1.4,
            1.5,
        ),
    ]
