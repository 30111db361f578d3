"""Make tables that keep constraints: hospital stays with dates in order, costs that add up, wards on floors."""

from __future__ import annotations

import numpy as np

from synth_worker.constraints import Constraint, Rule
from synth_worker.schema import Column, Kind, Schema
from synth_worker.table import Table
from tests.tables import build, labels, whole

DAY = 86_400.0

DATES = Constraint(Rule.ORDER, ("admitted", "treated", "discharged"))
COST = Constraint(Rule.SUM, ("cost", "drugs", "staff", "other"))
PAID = Constraint(Rule.ORDER, ("paid", "cost"))
PRESSURE = Constraint(Rule.ORDER, ("diastolic", "systolic"), strict=True)
WARD = Constraint(Rule.COMBINATIONS, ("ward", "floor"))
DRUG = Constraint(Rule.COMBINATIONS, ("sex", "disease", "grade"))
NUMBER = Constraint(Rule.UNIQUE, ("number",))
VISIT = Constraint(Rule.UNIQUE, ("person", "visit"))
ALL = (DATES, COST, PAID, PRESSURE, WARD, DRUG, NUMBER, VISIT)


def stays(
    rows: int, seed: int = 0, *, missing: float = 0.0, constraints: tuple[Constraint, ...] = ALL, gap: int = 9
) -> Table:
    """Make ``rows`` hospital stays that keep every constraint of ``ALL``; ``gap`` is the usual stay in days."""
    rng = np.random.default_rng([3_301, seed])
    admitted = DAY * np.round(18_000 + rng.integers(0, 1_500, rows))
    treated = admitted + DAY * rng.integers(0, 3, rows)
    discharged = treated + DAY * np.round(rng.gamma(1.5, gap / 1.5, rows))
    drugs = np.round(rng.gamma(2.0, 40.0, rows), 2)
    staff = np.round(20 + 3 * rng.gamma(2.0, 25.0, rows), 2)
    other = np.where(rng.random(rows) < 0.6, 0.0, np.round(rng.gamma(1.0, 30.0, rows), 2))
    cost = np.round(drugs + staff + other, 2)
    paid = np.round(np.where(rng.random(rows) < 0.3, cost, cost * rng.random(rows)), 2)
    diastolic = np.round(60 + 25 * rng.random(rows))
    systolic = diastolic + np.round(20 + 40 * rng.random(rows))
    ward = rng.choice(8, p=[0.3, 0.2, 0.15, 0.1, 0.1, 0.05, 0.05, 0.05], size=rows)
    disease = rng.integers(0, 5, rows)
    grade = np.where(disease < 3, rng.integers(1, 3, rows), 4)
    sex = np.where(disease == 4, 0, rng.integers(0, 2, rows))
    values = {
        "number": 1_000.0 + rng.permutation(8 * rows)[:rows],
        "person": np.arange(rows) // 3 + 1.0,
        "visit": np.arange(rows) % 3 + 1.0,
        "admitted": admitted,
        "treated": treated,
        "discharged": discharged,
        "drugs": drugs,
        "staff": staff,
        "other": other,
        "cost": cost,
        "paid": paid,
        "diastolic": diastolic,
        "systolic": systolic,
        "ward": ward,
        "floor": ward // 3 + 1.0,
        "sex": sex,
        "disease": disease,
        "grade": grade.astype(np.float64),
    }
    for name in ("treated", "discharged", "staff", "cost", "paid", "systolic"):
        values[name][rng.random(rows) < missing] = np.nan
    gaps = missing > 0
    lost = rng.random(rows) < missing / 2
    values["ward"] = np.where(lost, -1, ward)
    values["floor"][lost] = np.nan
    values["sex"] = np.where(rng.random(rows) < missing / 2, -1, sex)
    money = {name: Column(name, Kind.NUMERIC, dtype="float64", decimals=2, nullable=gaps) for name in
             ("drugs", "staff", "other", "cost", "paid")}  # fmt: skip
    dates = {
        name: Column(name, Kind.DATETIME, dtype="date", format="%Y-%m-%d", nullable=gaps)
        for name in ("admitted", "treated", "discharged")
    }
    columns = {
        "number": whole("number"),
        "person": whole("person"),
        "visit": whole("visit"),
        **dates,
        **money,
        "diastolic": whole("diastolic"),
        "systolic": whole("systolic", nullable=gaps),
        "ward": labels("ward", [f"W{one}" for one in range(8)], nullable=gaps),
        "floor": whole("floor", nullable=gaps),
        "sex": labels("sex", ("f", "m"), nullable=gaps),
        "disease": labels("disease", [f"I{one}" for one in range(5)]),
        "grade": whole("grade"),
    }
    table = build(columns, values)
    return Table(Schema(table.schema.columns, constraints), table.frame).narrowed()
