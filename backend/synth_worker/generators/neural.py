"""Describe the methods that need PyTorch, without importing it: that happens when one of them is built or loaded."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol, cast

from synth_worker.errors import BadInput
from synth_worker.generators.base import LENGTH, PACE, Generator, GeneratorSpec, Hyperparameters, Knob


class _Kind(Protocol):
    def __call__(self, hyperparameters: Hyperparameters) -> Generator: ...

    def load(self, folder: Path) -> Generator: ...


def has_torch() -> bool:
    """Tell whether PyTorch is installed, without loading it."""
    return importlib.util.find_spec("torch") is not None


def _kind(name: str, module: str, kind: str) -> _Kind:
    if not has_torch():
        raise BadInput(
            f"method {name!r} needs PyTorch, which is not installed",
            hint="pip install 'gesalp[neural]', or choose method 'cart' or 'gc'",
        )
    return cast("_Kind", getattr(importlib.import_module(f"synth_worker.generators.{module}"), kind))


def _build(name: str, module: str, kind: str) -> Callable[[Hyperparameters], Generator]:
    def build(hyperparameters: Hyperparameters) -> Generator:
        return _kind(name, module, kind)(hyperparameters)

    return build


def _load(name: str, module: str, kind: str) -> Callable[[Path], Generator]:
    return lambda folder: _kind(name, module, kind).load(folder)


N_ITER = Knob(
    LENGTH,
    300,
    low=1,
    high=10_000,
    private_end="low",
    about="length of the training; one iteration is max(5, 0.2 x root of the rows) optimiser steps",
)
RATE = Knob(
    PACE,
    1.0,
    low=0.001,
    high=1000.0,
    about="times the learning rate that the method has by itself; lower it where a training diverges",
)
BATCH_SIZE = Knob("batch_size", 256, low=1, high=100_000, about="rows of one optimiser step")
WIDTH = Knob("width", 256, low=8, high=4096, about="units of a hidden layer")
SMALL_WIDTH = Knob("width", 128, low=8, high=4096, about="units of a hidden layer")
LAYERS = Knob("layers", 2, low=1, high=32, about="hidden blocks")
DEVICE = Knob("device", "auto", choices=("auto", "cpu", "cuda"), about="where to train; auto: a GPU if there is one")
PRECISION = Knob(
    "precision",
    "auto",
    choices=("auto", "float32", "bfloat16"),
    about="of products of matrices; auto: bfloat16 where the hardware multiplies it faster",
)

VARIANT = Knob(
    "variant",
    "endpoint",
    choices=("endpoint", "kotelnikov2023"),
    about="endpoint: hidden labels and noisy numbers, few steps; kotelnikov2023: as published, many steps",
)
TIMESTEPS = Knob("timesteps", 1000, low=2, high=10_000, about="steps of variant kotelnikov2023, in drawing as in noise")

NEURAL: dict[str, GeneratorSpec] = {
    "arn": GeneratorSpec(
        name="arn",
        title="Any-order autoregressive network",
        build=_build("arn", "arn", "AnyOrder"),
        load=_load("arn", "arn", "AnyOrder"),
        knobs=(
            Knob(
                "privacy",
                0.3,
                low=0.0,
                high=1.0,
                private_end="high",
                about="broader densities of numbers and more dropout toward 1",
            ),
            replace(N_ITER, default=100),
            BATCH_SIZE,
            RATE,
            WIDTH,
            LAYERS,
            DEVICE,
            PRECISION,
        ),
        cost=60.0,
        scalar="privacy",
        about="one network predicts any column from any others; conditions on any of them exactly",
        escalates=True,
    ),
    "ddpm": GeneratorSpec(
        name="ddpm",
        title="Diffusion (TabDDPM)",
        build=_build("ddpm", "tabddpm", "TabDdpm"),
        load=_load("ddpm", "tabddpm", "TabDdpm"),
        knobs=(replace(N_ITER, default=200), BATCH_SIZE, RATE, WIDTH, LAYERS, DEVICE, PRECISION, VARIANT, TIMESTEPS),
        cost=80.0,
        about="restores rows from noise; strong on tables of many numbers, conditions on any column",
        escalates=True,
    ),
    "tvae": GeneratorSpec(
        name="tvae",
        title="Variational autoencoder (TVAE)",
        build=_build("tvae", "tvae", "Tvae"),
        load=_load("tvae", "tvae", "Tvae"),
        knobs=(N_ITER, BATCH_SIZE, RATE, SMALL_WIDTH, DEVICE),
        cost=50.0,
        about="draws a code for each row, and the cells from the code; the fastest network, blurs sharp rules",
    ),
    "ctgan": GeneratorSpec(
        name="ctgan",
        title="Conditional adversarial network (CTGAN)",
        build=_build("ctgan", "ctgan", "Ctgan"),
        load=_load("ctgan", "ctgan", "Ctgan"),
        knobs=(N_ITER, BATCH_SIZE, RATE, WIDTH, DEVICE),
        cost=150.0,
        about="learns by passing for real; keeps rare labels and single columns, dependence least of the networks",
    ),
}
