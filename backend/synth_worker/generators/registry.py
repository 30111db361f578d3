"""Name the generators; adding one is one line here and its own module."""

from __future__ import annotations

import math
from pathlib import Path

from synth_worker.errors import BadInput, BadModel, UnknownName
from synth_worker.generators.aim import Aim
from synth_worker.generators.arn_dp import ArnDp
from synth_worker.generators.base import Generator, GeneratorSpec, Hyperparameters, Knob, Value
from synth_worker.generators.cart import Cart
from synth_worker.generators.copula import GaussianCopula
from synth_worker.generators.dp_fit import KNOBS
from synth_worker.generators.mst import Mst
from synth_worker.generators.neural import NEURAL
from synth_worker.generators.persistence import stored_method

GUARANTEE = "(epsilon, delta)-differential privacy of a unit (a person, else a row) under adding or removing it"

GENERATORS: dict[str, GeneratorSpec] = {
    "gc": GeneratorSpec(
        name="gc",
        title="Gaussian copula",
        build=GaussianCopula,
        load=GaussianCopula.load,
        cost=0.3,
        about="keeps every column's distribution and the pairwise dependence; remembers no rows",
    ),
    "cart": GeneratorSpec(
        name="cart",
        title="Sequential trees",
        build=Cart,
        load=Cart.load,
        knobs=(
            Knob(
                "privacy",
                0.5,
                low=0.0,
                high=1.0,
                private_end="high",
                about="larger leaves, wider smoothing and more back-off toward 1",
            ),
            Knob("predictors", 30, low=1, high=1000, about="the most earlier columns that one column looks at"),
            Knob("first", "", about="the column drawn first (several as a JSON list), so that it can be given exactly"),
        ),
        cost=3.0,
        scalar="privacy",
        about="draws column by column from trees over the columns before it",
    ),
    **NEURAL,
    "mst": GeneratorSpec(
        name="mst",
        title="Tree of noised pairs (MST)",
        build=Mst,
        load=Mst.load,
        knobs=(*KNOBS, *Mst.OWN_KNOBS),
        cost=2.0,
        guarantee=GUARANTEE,
        about="noised counts of columns and of a tree of pairs",
    ),
    "aim": GeneratorSpec(
        name="aim",
        title="Adaptively chosen noised pairs (AIM)",
        build=Aim,
        load=Aim.load,
        knobs=(*KNOBS, *Aim.OWN_KNOBS),
        cost=10.0,
        guarantee=GUARANTEE,
        about="noised counts of columns and of pairs chosen round by round where the model errs",
    ),
    "arn_dp": GeneratorSpec(
        name="arn_dp",
        title="Any-order network by noisy steps (experimental)",
        build=ArnDp,
        load=ArnDp.load,
        knobs=(*KNOBS, *ArnDp.OWN_KNOBS),
        cost=15.0,
        guarantee=GUARANTEE,
        about="experimental: a small network, the gradient of each row clipped and their sum noised",
        experimental=True,
        needs_rows=True,
    ),
}
"""The methods by name. Those with a guarantee are asked for by name: ``auto`` looks at data to choose."""


def build(name: str, hyperparameters: Hyperparameters) -> Generator:
    """Make an unfitted generator; what is not given takes its default.

    Raises UnknownName for a method or a hyper-parameter that does not exist, BadInput for a value out of range.
    """
    if name not in GENERATORS:
        raise UnknownName.of("method", name, GENERATORS)
    spec = GENERATORS[name]
    knobs = {knob.name: knob for knob in spec.knobs}
    for key, value in hyperparameters.items():
        if key not in knobs:
            raise UnknownName.of(f"hyper-parameter of method {name!r}", key, knobs)
        _check(knobs[key], value)
    return spec.build({**spec.defaults(), **hyperparameters})


def load(folder: Path) -> Generator:
    """Read a saved model back, whatever its method. Raises BadModel on damage or an unknown method."""
    name = stored_method(folder)
    if name not in GENERATORS:
        raise BadModel(f"{folder} holds a model of method {name!r}, which this program does not know")
    return GENERATORS[name].load(folder)


def _check(knob: Knob, value: Value) -> None:
    if knob.choices:
        if value not in knob.choices:
            raise UnknownName.of(f"value of {knob.name!r}", value, knob.choices)
        return
    if isinstance(knob.default, bool | str):
        if type(value) is not type(knob.default):
            raise BadInput(f"{knob.name!r} must be a {type(knob.default).__name__}, not {value!r}")
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{knob.name!r} must be a number, not {value!r}")
    low, high = knob.low, knob.high
    if math.isnan(value) or (low is not None and value < low) or (high is not None and value > high):
        raise BadInput(f"{knob.name!r} is {value}; it lies between {low} and {high}")
