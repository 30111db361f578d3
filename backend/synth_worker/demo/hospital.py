"""Make up the patients of a hospital, their admissions and diagnoses, in blocks: any number, the same by seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date

import numpy as np
import pyarrow as pa

from synth_worker.demo import hospital_model as model
from synth_worker.errors import BadInput
from synth_worker.seeds import Streams
from synth_worker.table import Floats, Ints

BLOCK = 100_000
MOST = 50_000_000
EPOCH = date(1970, 1, 1)
FIRST, LAST = ((one - EPOCH).days for one in (model.FIRST, model.LAST))
MOST_ADMISSIONS = 60
CODES = tuple(tuple(one.codes.split()) for one in model.ILLNESSES)
TREATMENTS = tuple(dict.fromkeys(name for one in model.ILLNESSES for name in one.treatments))
WARDS = tuple(dict.fromkeys(one.ward for one in model.ILLNESSES))
ALL_CODES = tuple(
    dict.fromkeys(
        [
            *(code for own in CODES for code in own),
            *(one.code for one in model.CONDITIONS),
            *(code for one in model.ILLNESSES for code in one.second),
            *model.SECOND_CODES,
        ]
    )
)
PLACE = {code: at for at, code in enumerate(ALL_CODES)}
Tables = Mapping[str, pa.Table]


def blocks(patients: int, *, seed: int = 0) -> Iterator[Tables]:
    """Return the tables ``patients``, ``admissions`` and ``diagnoses`` of up to 100,000 patients at a time.

    Raises BadInput for a number of patients that is not from 1 to 50,000,000.

    >>> [one] = blocks(500)
    >>> list(one), one["patients"].num_rows
    (['patients', 'admissions', 'diagnoses'], 500)
    """
    if not 1 <= patients <= MOST:
        raise BadInput(f"{patients} patients were asked for; possible are 1 to {MOST:,}")
    return _blocks(patients, seed)


def _blocks(patients: int, seed: int) -> Iterator[Tables]:
    admissions = 0
    for start in range(0, patients, BLOCK):
        made = _block(start, min(BLOCK, patients - start), admissions, Streams(seed).child("hospital", start))
        admissions += made["admissions"].num_rows
        yield made


def _block(start: int, size: int, before: int, streams: Streams) -> Tables:
    people = _People(size, streams.rng("people"))
    stays = _Stays(people, streams.rng("stays"))
    ids = pa.array([f"P{number:08d}" for number in _scattered(np.arange(start, start + size))])
    numbers = np.arange(before + 1, before + 1 + len(stays.of))
    return {
        "patients": people.table(ids),
        "admissions": stays.table(ids, numbers),
        "diagnoses": stays.diagnoses(numbers, streams.rng("diagnoses")),
    }


def _scattered(numbers: Ints) -> Ints:
    """Return a number for each that does not tell in which order they were made: a permutation of 0 to 10^8 - 1."""
    return (numbers * 48_271_137 + 11_939_989) % 100_000_000


class _People:
    """Hold what patients are: gender, day of birth, habits, chronic conditions."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.size = size
        self.male = rng.random(size) < 0.47
        # Most patients are old, women a little older; a tenth are children.
        age = np.where(self.male, rng.normal(60, 17, size), rng.normal(62, 18, size))
        young, bearing = rng.random(size) < 0.11, ~self.male & (rng.random(size) < 0.2)
        age = np.where(bearing, rng.normal(31, 6, size), age)
        age = np.where(young, 16 * rng.random(size) ** 1.6, age)
        age = np.abs(age)
        self.age = np.where(age > 99, rng.uniform(75, 99, size), age)
        self.born = np.round(FIRST + 1096 - 365.25 * self.age).astype(np.int64)
        adult = self.age >= 16
        odds = rng.random(size) + np.where(self.male, 0.06, 0.0) - 0.002 * np.abs(self.age - 45)
        self.smoking = np.where(~adult | (odds < 0.5), 0, np.where(odds < 0.76, 1, 2))
        middle = 16 + 10.5 * np.minimum(self.age, 40) / 40 + 1.5 * np.exp(-(((self.age - 60) / 18) ** 2))
        self.mass = middle * np.exp(rng.normal(0.0, 0.09 + 0.08 * adult) + 0.06 * (rng.random(size) < 0.15))
        self.conditions = {one.name: self._has(one, rng) for one in model.CONDITIONS}
        self.burden = np.sum(list(self.conditions.values()), axis=0)
        self.region = _zipf(model.REGIONS, size, rng, power=0.8)
        rich = rng.random(size)
        self.payer = np.where(rich < 0.865, 0, np.where(rich < 0.985, 1, 2))
        # Smoking is not asked of all; nobody weighs a healthy young patient.
        self.smoking_known = adult & (rng.random(size) > 0.14)
        self.mass_known = rng.random(size) > 0.06 + 0.22 * (self.burden == 0)
        stated = rng.random(size)
        self.gender = np.where(stated < 0.006, -1, np.where(stated < 0.009, 2, self.male))

    def _has(self, one: model.Condition, rng: np.random.Generator) -> np.ndarray:
        odds = one.at_fifty + one.decade * (self.age - 50) / 10 + one.male * self.male
        odds = odds + one.mass * (self.mass - 25) / 5 + one.smoking * (self.smoking == 2)
        return (rng.random(self.size) < 1 / (1 + np.exp(-odds))) & (self.age > 12)

    def table(self, ids: pa.Array) -> pa.Table:
        return pa.table(
            {
                "patient_id": ids,
                "born": _days(self.born),
                "gender": _named(self.gender, ("F", "M", "X")),
                "region": pa.array(self.region + 1, pa.int32()),
                "payer": _named(self.payer, model.PAYERS),
                "smoking": _named(np.where(self.smoking_known, self.smoking, -1), model.SMOKING),
                "bmi": _rounded(self.mass, self.mass_known, 1),
            }
        )


class _Stays:
    """Hold what happened to patients: when they came, why, what was done, for how long, and how it ended."""

    def __init__(self, people: _People, rng: np.random.Generator) -> None:
        self.people = people
        often = np.exp(-1.4 + 0.45 * people.burden + 0.008 * np.maximum(people.age - 40, 0))
        more = rng.poisson(often * rng.gamma(0.7, 1 / 0.7, people.size))
        self.of = np.repeat(np.arange(people.size), 1 + np.minimum(more, MOST_ADMISSIONS - 1))
        size = len(self.of)
        # Nobody is admitted before birth.
        earliest = np.maximum(people.born[self.of], FIRST)
        day = earliest + (rng.random(size) * (LAST + 1 - earliest)).astype(np.int64)
        self.day = np.minimum(day, LAST)
        self.age = (self.day - people.born[self.of]) / 365.25
        self.illness = self._illness(rng)
        self._put_off(rng)
        self.age = (self.day - people.born[self.of]) / 365.25
        self.code = self._code(rng)
        self.treatment = self._treatment(rng)
        self.urgent = rng.random(size) < np.where(self._of(lambda one: one.waits), 0.35, 0.8)
        self.days = self._days(rng)
        self.outcome = self._outcome(rng)
        self.systolic = self._systolic(rng)
        self.systolic_known = rng.random(size) > np.where(self.urgent, 0.04, 0.2)
        kidney = people.conditions["kidney"][self.of]
        self.creatinine = 0.85 * np.exp(rng.normal(0.12 * people.male[self.of] + 0.7 * kidney, 0.2))
        # It is measured where somebody has a reason to.
        self.creatinine_known = rng.random(size) < 0.35 + 0.2 * (self.age > 60) + 0.35 * kidney
        beside = np.array([model.DEAREST.get(name, 300.0) for name in TREATMENTS])[self.treatment]
        self.cost = (380.0 * np.maximum(self.days, 0.5) + beside) * np.exp(rng.normal(0.0, 0.25, size))

    def _of(self, what: Callable[[model.Illness], float]) -> Floats:
        return np.array([what(one) for one in model.ILLNESSES])[self.illness]

    def _illness(self, rng: np.random.Generator) -> Ints:
        male = self.people.male[self.of]
        season = np.cos(2 * np.pi * ((self.day + 3) % 365.25 - 15) / 365.25)
        weights = np.empty((len(model.ILLNESSES), len(self.of)))
        for at, one in enumerate(model.ILLNESSES):
            mean, spread = one.age
            bell = np.exp(-0.5 * ((self.age - mean) / spread) ** 2)
            own = one.weight * (
                np.where(bell < 0.01, 0.0, bell) if one.only else np.maximum(bell, 0.1 * (self.age > 3))
            )
            own *= np.where(male, min(one.male, 1.0), min(1 / one.male, 1.0) if one.male else 1.0)
            if one.cause:
                own *= np.where(self.people.conditions[one.cause][self.of], one.factor, 1.0)
            weights[at] = own * one.winter ** (season / 2)
        return _drawn(weights, rng)

    def _put_off(self, rng: np.random.Generator) -> None:
        """Move half of what can wait out of the weeks of the wave, by a year."""
        start, end = ((one - EPOCH).days for one in model.WAVE)
        moved = (self.day >= start) & (self.day < end) & (self._of(lambda one: one.waits) > 0)
        moved &= rng.random(len(self.of)) < 0.5
        self.day = np.where(moved, self.day + 365, self.day)

    def _code(self, rng: np.random.Generator) -> Ints:
        most = max(len(own) for own in CODES)
        ends = np.ones((len(CODES), most))
        place = np.zeros((len(CODES), most), dtype=np.int64)
        for at, own in enumerate(CODES):
            shares = 1 / np.arange(1, len(own) + 1)
            ends[at, : len(own)] = np.cumsum(shares) / shares.sum()
            place[at, : len(own)] = [PLACE[code] for code in own]
        return _inverted(ends, place, self.illness, rng)

    def _treatment(self, rng: np.random.Generator) -> Ints:
        weights = np.zeros((len(TREATMENTS), len(model.ILLNESSES)))
        for at, one in enumerate(model.ILLNESSES):
            for name, weight in one.treatments.items():
                weights[TREATMENTS.index(name), at] = weight
        older = np.array([model.OUTLIVED.get(name, 0.0) for name in TREATMENTS])
        decades = np.maximum(self.age - 50, 0) / 10
        return _drawn(weights[:, self.illness] * np.exp(older[:, None] * decades), rng)

    def _days(self, rng: np.random.Generator) -> Ints:
        median = self._of(lambda one: one.days)
        longer = 0.06 * np.maximum(self.age - 50, 0) / 10 + 0.07 * self.people.burden[self.of]
        longer += 0.25 * (self.treatment == TREATMENTS.index("surgery"))
        longer += 0.6 * (self.treatment == TREATMENTS.index("ventilation"))
        return np.minimum(median * np.exp(longer + rng.normal(-0.1, 0.65, len(self.of))), 300).astype(np.int64)

    def _outcome(self, rng: np.random.Generator) -> Ints:
        chance = self._of(lambda one: one.death) * np.exp(0.055 * (self.age - 60) + 0.18 * self.people.burden[self.of])
        chance *= np.where(self.treatment == TREATMENTS.index("ventilation"), 5.0, 1.0)
        last = np.append(self.of[1:] != self.of[:-1], True)
        drawn = rng.random(len(self.of))
        order = np.lexsort((self.day, self.of))
        final = np.zeros(len(self.of), dtype=bool)
        final[order] = last
        # Only who does not come again can have died; so that the rate holds, they carry the chance of all.
        died = final & (drawn < np.minimum(chance * 1.3, 0.6))
        frail = np.clip((self.age - 55) / 100, 0, 0.5)
        rest = rng.random(len(self.of))
        old = np.where(rest < 0.03, 1, np.where(rest < 0.03 + frail * (self.days > 4), 2, 0))
        return np.where(died, 3, old)

    def _systolic(self, rng: np.random.Generator) -> Floats:
        middle = 104 + 0.42 * np.minimum(self.age, 80) + 10 * self.people.conditions["hypertension"][self.of]
        shock = 18 * (self.illness == [one.name for one in model.ILLNESSES].index("infection"))
        return middle - shock + rng.normal(0, 13, len(self.of))

    def table(self, ids: pa.Array, numbers: Ints) -> pa.Table:
        left = self.day + self.days
        inside = left > LAST
        return pa.table(
            {
                "admission_id": numbers,
                "patient_id": ids.take(pa.array(self.of)),
                "admitted": _days(self.day),
                "discharged": _days(left, ~inside),
                "ward": _named(self._of(lambda one: WARDS.index(one.ward)).astype(np.int64), WARDS),
                "urgent": pa.array(self.urgent),
                "diagnosis": _named(self.code, ALL_CODES),
                "treatment": _named(self.treatment, TREATMENTS),
                "outcome": _named(np.where(inside, -1, self.outcome), model.OUTCOMES),
                "systolic": pa.array(np.round(self.systolic).astype(np.int32), mask=~self.systolic_known),
                "creatinine": _rounded(self.creatinine, self.creatinine_known, 2),
                "cost": _rounded(self.cost, ~inside, 2),
            }
        )

    def diagnoses(self, numbers: Ints, rng: np.random.Generator) -> pa.Table:
        """Return all diagnoses of each admission, the main one first."""
        size = len(self.of)
        stay, code = [np.arange(size)], [self.code]
        for one in model.CONDITIONS:
            noted = np.flatnonzero(self.people.conditions[one.name][self.of] & (rng.random(size) < 0.85))
            stay.append(noted)
            code.append(np.full(len(noted), PLACE[one.code]))
        for at, one in enumerate(model.ILLNESSES):
            for name in one.second:
                noted = np.flatnonzero((self.illness == at) & (rng.random(size) < 0.3))
                stay.append(noted)
                code.append(np.full(len(noted), PLACE[name]))
        noted = np.flatnonzero(rng.random(size) < 0.5)
        stay.append(noted)
        beside = np.array([PLACE[name] for name in model.SECOND_CODES])
        code.append(beside[_zipf(len(beside), len(noted), rng)])
        all_stays, all_codes = np.concatenate(stay), np.concatenate(code)
        # A code stands once with an admission, at its first place.
        _unique, first = np.unique(all_stays * len(ALL_CODES) + all_codes, return_index=True)
        first = np.sort(first)
        order = first[np.argsort(all_stays[first], kind="stable")]
        stays = all_stays[order]
        begins = np.flatnonzero(np.append(True, stays[1:] != stays[:-1]))
        rank = np.arange(len(stays)) - np.repeat(begins, np.diff(np.append(begins, len(stays)))) + 1
        return pa.table(
            {
                "admission_id": numbers[stays],
                "rank": pa.array(rank.astype(np.int32)),
                "icd10": _named(all_codes[order], ALL_CODES),
            }
        )


def _drawn(weights: Floats, rng: np.random.Generator) -> Ints:
    """Return for each column of weights a row, drawn in proportion."""
    ends = np.cumsum(weights, axis=0)
    return np.argmax(ends > rng.random(weights.shape[1]) * ends[-1], axis=0)


def _inverted(ends: Floats, place: Ints, row: Ints, rng: np.random.Generator) -> Ints:
    """Return a draw from the row of a table of cumulative shares."""
    drawn = rng.random(len(row))
    found = np.empty(len(row), dtype=np.int64)
    for at in range(len(ends)):
        own = np.flatnonzero(row == at)
        found[own] = place[at, np.searchsorted(ends[at], drawn[own], side="right").clip(max=ends.shape[1] - 1)]
    return found


def _zipf(count: int, size: int, rng: np.random.Generator, *, power: float = 1.0) -> Ints:
    ends = np.cumsum(1 / np.arange(1, count + 1) ** power)
    return np.searchsorted(ends / ends[-1], rng.random(size), side="right").clip(max=count - 1)


def _days(days: Ints, known: np.ndarray | None = None) -> pa.Array:
    return pa.array(days.astype(np.int32), pa.int32(), mask=None if known is None else ~known).cast(pa.date32())


def _named(codes: Ints, names: Sequence[str]) -> pa.Array:
    """Return names by their place; a place below 0 is a missing one."""
    places = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(places, pa.array(list(names))).cast(pa.string())


def _rounded(values: Floats, known: np.ndarray, decimals: int) -> pa.Array:
    return pa.array(np.round(values, decimals), mask=~known)
