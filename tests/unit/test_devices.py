"""What holds of devices where there is no GPU (where there is one: tests/gpu)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from synth_worker.errors import BadInput
from synth_worker.generators.base import Generator, Value
from synth_worker.generators.registry import GENERATORS, build, load
from synth_worker.generators.tabddpm import asked_precision
from synth_worker.generators.weights import device_of, precision_of, repeatable
from tests.tables import adult_like

TRAINED = sorted(name for name, spec in GENERATORS.items() if spec.trained and not spec.guarantee)
CPU = torch.device("cpu")


def fitted(method: str, hyperparameters: dict[str, Value]) -> Generator:
    settings: dict[str, Value] = {"n_iter": 5, **hyperparameters}
    return build(method, settings).fit(adult_like(300, 0), rng=np.random.default_rng(0))


@pytest.mark.parametrize("method", TRAINED)
def test_a_model_that_was_trained_on_a_gpu_is_read_without_one(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = fitted(method, {"device": "cpu"})
    made.hyperparameters["device"] = "cuda"  # pyright: ignore[reportAttributeAccessIssue] - as a GPU would have left it
    made.save(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    drawn = load(tmp_path).sample(50, rng=np.random.default_rng(1))
    assert drawn.frame.equals(made.sample(50, rng=np.random.default_rng(1)).frame)


def test_a_gpu_that_is_not_there_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BadInput, match="sees no GPU here") as refused:
        fitted("arn", {"device": "cuda"})
    assert "auto" in refused.value.hint
    assert device_of("auto") == CPU


def test_pytorch_is_left_as_it_was() -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with repeatable():
        assert torch.get_num_threads() == 1
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


@pytest.mark.parametrize("variant", ["endpoint", "kotelnikov2023"])
def test_diffusion_learns_in_either_precision(variant: str) -> None:
    drawn = [
        fitted("ddpm", {"n_iter": 10, "variant": variant, "timesteps": 20, "precision": precision}).sample(
            60, rng=np.random.default_rng(1)
        )
        for precision in ("float32", "bfloat16")
    ]
    assert not drawn[0].frame.equals(drawn[1].frame)
    assert all(np.isfinite(table.numbers("age")).all() for table in drawn)


def test_by_itself_diffusion_computes_in_bfloat16_on_a_gpu_only_and_as_published_never() -> None:
    gpu = torch.device("cuda")
    published = {"variant": "kotelnikov2023"}
    assert asked_precision({"variant": "endpoint"}, gpu) == "auto"
    assert asked_precision({}, CPU) == asked_precision(published, gpu) == "float32"
    assert asked_precision({**published, "precision": "bfloat16"}, CPU) == "bfloat16"
    assert precision_of("float32", CPU) is None
