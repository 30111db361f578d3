"""Say how the made-up hospital works: who falls ill with what, how it is treated, and how long that takes.

Nothing here is from real patients. Figures are round numbers of the right order; their dependences are what matters:

    birth year, gender -> smoking, body mass -> chronic conditions -> number of admissions
    age, gender, chronic conditions, season -> illness -> ICD-10 code (the k-th of an illness as often as 1/k)
    illness, age -> treatment;  illness, treatment, age, conditions -> length of stay -> outcome, cost
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

FIRST, LAST = date(2019, 1, 1), date(2024, 12, 31)
"""The days on which patients are admitted; who is still in on the last has no day of discharge."""

WAVE = (date(2020, 3, 15), date(2020, 6, 1))
"""Weeks in which half of the admissions that can wait did not take place."""

REGIONS = 40
PAYERS = ("statutory", "private", "none")
SMOKING = ("never", "former", "current")
OUTCOMES = ("home", "transferred", "rehabilitation", "died")
SECOND_CODES = ("Z92", "I10", "E78", "R52", "Z95", "D64", "E55", "K21", "N28", "R26", "Z60", "H91")
"""What stands beside a main diagnosis without a cause in the model, most common first."""


@dataclass(frozen=True)
class Condition:
    """Be a chronic condition: its code, and the log odds of having it.

    ``at_fifty`` are the log odds of a woman of fifty; ``decade``, ``male``, ``mass`` (per 5 kg/m2 above 25) and
    ``smoking`` (of a current smoker) add to them.
    """

    name: str
    code: str
    at_fifty: float
    decade: float
    male: float = 0.0
    mass: float = 0.0
    smoking: float = 0.0


CONDITIONS = (
    Condition("hypertension", "I10", -1.0, 0.55, 0.2, 0.5, 0.1),
    Condition("diabetes", "E11", -2.5, 0.4, 0.3, 0.7),
    Condition("lung", "J44", -3.0, 0.35, 0.1, 0.0, 1.4),
    Condition("heart", "I50", -3.8, 0.75, 0.3, 0.3, 0.4),
    Condition("kidney", "N18", -3.6, 0.6, 0.1, 0.2),
    Condition("cancer", "C80", -3.4, 0.45, 0.1, 0.0, 0.5),
    Condition("depression", "F33", -1.9, -0.05, -0.6, 0.1, 0.3),
)


@dataclass(frozen=True)
class Illness:
    """Be a reason for an admission.

    ``codes`` are ICD-10 categories, most common first. ``weight`` is how common it is at its ``age`` (mean and spread
    in years of a bell, above a tenth of the peak at any age unless ``only``), ``male`` the factor for men, ``cause`` a
    condition that makes it ``factor`` times as likely, ``winter`` the factor in January against July. ``waits``: it
    can be put off. ``treatments`` are weights, ``days`` the median stay, ``death`` the chance of it at sixty.
    """

    name: str
    ward: str
    codes: str
    weight: float
    age: tuple[float, float]
    treatments: Mapping[str, float]
    days: float
    male: float = 1.0
    only: bool = False
    cause: str = ""
    factor: float = 4.0
    winter: float = 1.0
    waits: bool = False
    death: float = 0.01
    second: tuple[str, ...] = field(default=())


ILLNESSES = (
    Illness(
        "heart", "cardiology", "I50 I21 I48 I20 I25 I47 I35 I44 I11 I26 I33 I42 I71 I30 I40", 1.5, (76, 16),
        {"medication": 6, "catheter": 3, "surgery": 1, "observation": 1}, 6, 1.5, cause="heart", death=0.04,
        second=("I10", "E78", "I25"),
    ),
    Illness(
        "stroke", "neurology", "I63 G45 I61 I60 I67 I62", 0.6, (77, 13),
        {"thrombolysis": 2, "medication": 4, "physiotherapy": 3, "surgery": 0.4}, 9, 1.1, cause="hypertension",
        factor=2.5, death=0.08, second=("I10", "R47", "G81"),
    ),
    Illness(
        "lung", "pneumology", "J18 J44 J20 J15 J96 J45 J69 J22 J93 J90 J84 J86 J85", 1.1, (72, 22),
        {"medication": 7, "ventilation": 1, "observation": 2, "surgery": 0.2}, 6, 1.2, cause="lung", factor=6.0,
        winter=2.6, death=0.05, second=("J96", "F17"),
    ),
    Illness(
        "digestion", "surgery", "K80 K40 K57 K35 K56 K29 K85 K52 K63 K26 K43 K50 K51 K70 K74 K81 K83 K25 K59 K22", 1.4,
        (58, 22), {"surgery": 6, "medication": 3, "observation": 2}, 4, 1.1, waits=True, death=0.01, second=("R10",),
    ),
    Illness(
        "injury", "trauma", "S72 S06 S52 S82 S42 S32 S22 S02 S83 S43 S00 S92 T84 S27 S36 S12", 1.1, (80, 20),
        {"surgery": 6, "observation": 3, "physiotherapy": 2}, 6, 0.8, winter=1.2, death=0.02, second=("W19", "M81"),
    ),
    Illness(
        "joints", "orthopaedics", "M16 M17 M54 M51 M48 M75 M20 M23 M80 M43 M10 M06 M87", 1.2, (67, 13),
        {"surgery": 6, "physiotherapy": 3, "medication": 2}, 6, 0.8, waits=True, death=0.001, second=("M81",),
    ),
    Illness(
        "tumour", "oncology", "C34 C18 C20 C25 C67 C16 C83 C90 C64 C71 C22 C15 C43 C92 C79 C91 C85 C73 C49 C81", 0.9,
        (68, 13), {"chemotherapy": 5, "surgery": 4, "radiotherapy": 3, "medication": 1}, 5, 1.2, cause="cancer",
        factor=9.0, death=0.07, second=("D63", "C79", "R63"),
    ),
    Illness(
        "breast", "oncology", "C50 D05 N60 D24", 0.4, (62, 13), {"surgery": 5, "radiotherapy": 3, "chemotherapy": 3}, 4,
        0.008, cause="cancer", death=0.01,
    ),
    Illness(
        "prostate", "urology", "C61 N40 N41 N48", 0.5, (70, 9), {"surgery": 6, "radiotherapy": 2, "medication": 2}, 5,
        male=1e6, only=True, waits=True, death=0.004,
    ),
    Illness(
        "birth", "obstetrics", "O80 O82 O34 O42 O70 O60 O14 O21 O24 O72 O36 O00 O15", 1.9, (31, 5.2),
        {"delivery": 8, "surgery": 3, "observation": 1}, 3, 0.0, only=True, death=0.0001, second=("Z37",),
    ),
    Illness(
        "child", "paediatrics", "J21 A09 R56 J03 J06 J12 P07 H66 L20 Q21 Q35", 1.3, (2, 4),
        {"medication": 4, "observation": 6, "surgery": 0.6}, 3, 1.2, only=True, winter=2.2, death=0.001,
    ),
    Illness(
        "kidney", "urology", "N39 N17 N20 N18 N13 N10 N30 N81 N04 N05", 0.9, (68, 20),
        {"medication": 5, "dialysis": 1.5, "surgery": 2, "observation": 1}, 5, 0.9, cause="kidney", factor=6.0,
        death=0.02, second=("E87",),
    ),
    Illness(
        "metabolism", "internal medicine", "E11 E86 E87 E10 E66 E05 E16 E27 E21", 0.6, (64, 20),
        {"medication": 8, "observation": 3, "surgery": 0.4}, 5, cause="diabetes", factor=6.0, death=0.015,
    ),
    Illness(
        "mind", "psychiatry", "F10 F32 F33 F20 F41 F43 F60 F31 F25 F05 F19 F50", 0.8, (42, 16),
        {"psychotherapy": 5, "medication": 5, "observation": 1}, 18, 1.1, cause="depression", factor=5.0, death=0.002,
    ),
    Illness(
        "infection", "internal medicine", "A41 A46 A49 B34 U07 A04 B02 A40 A15 B37 B20 A81", 0.5, (72, 22),
        {"medication": 8, "observation": 1, "ventilation": 0.5}, 7, winter=1.5, death=0.09,
    ),
    Illness(
        "nerves", "neurology", "G40 G47 G43 G35 G20 G51 G62 G91 G30 G61 G12", 0.5, (55, 22),
        {"medication": 6, "observation": 4, "physiotherapy": 1}, 5, death=0.004,
    ),
    Illness(
        "signs", "emergency", "R07 R55 R10 R42 R51 R11 R00 R31 R40 R53", 1.2, (60, 24),
        {"observation": 8, "medication": 2}, 1.5, waits=True, death=0.002,
    ),
    Illness(
        "rare", "internal medicine", "D86 E84 M34 G70 D57 E83 E85 Q87 M30 E75 E80 D80 L10 M35 Q79 E71 D59 E72 Q78 A98",
        0.03, (45, 25), {"medication": 7, "observation": 3}, 8, death=0.02,
    ),
)  # fmt: skip

DEAREST = {"surgery": 4200.0, "catheter": 3900.0, "ventilation": 9000.0, "chemotherapy": 3500.0, "delivery": 1500.0,
           "radiotherapy": 2800.0, "dialysis": 2200.0, "thrombolysis": 2600.0}  # fmt: skip
"""What a treatment costs beside the days of a stay, in euros."""

OUTLIVED = {"surgery": -0.25, "catheter": 0.05, "delivery": -0.9, "psychotherapy": 0.0, "physiotherapy": 0.25}
"""How much less likely, in logarithms per decade above fifty, an older patient gets a treatment (more, above 0)."""
