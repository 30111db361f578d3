"""Turn the weights of a network into named arrays and back; choose the device and seed its random numbers."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils import deterministic

from synth_worker.errors import BadInput, BadModel

Array = NDArray[np.generic]
DEVICES = ("auto", "cpu", "cuda")
_PREFIX = "net."


def weight_arrays(net: nn.Module) -> dict[str, Array]:
    """Return a network's parameters and buffers as arrays."""
    return {f"{_PREFIX}{name}": value.detach().cpu().numpy() for name, value in net.state_dict().items()}


def restore_weights(net: nn.Module, arrays: Mapping[str, Array]) -> None:
    """Write arrays into a network of the same form. Raises BadModel where one is missing or of another form."""
    with torch.no_grad():
        for name, value in net.state_dict(keep_vars=True).items():
            found = arrays.get(f"{_PREFIX}{name}")
            if (
                found is None
                or found.shape != tuple(value.shape)
                or (value.is_floating_point() and not np.isfinite(found.astype(np.float64)).all())
            ):
                raise BadModel(f"the model's weights {name!r} do not fit its network", hint="fit it again")
            value.copy_(torch.from_numpy(np.ascontiguousarray(found)).view(value.shape))


def device_of(name: str) -> torch.device:
    """Return the device that is asked for; ``auto`` is a GPU where there is one.

    Raises BadInput where it is not there.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise BadInput("device 'cuda' is asked for, and PyTorch sees no GPU here", hint="use device 'auto' or 'cpu'")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def device_to_read(name: str) -> torch.device:
    """Return the device for a model that was trained with ``device`` ``name``: a GPU may be gone, the CPU is there."""
    return device_of("auto" if name == "cuda" else name)


def precision_of(name: str, device: torch.device) -> torch.dtype | None:
    """Return the type that products are computed in, or None for float32 throughout.

    ``auto`` is bfloat16 where the hardware multiplies matrices of it: a GPU that says so, a processor with AMX. With
    AVX512-BF16 alone a step took 1.8 times as long as in float32 (decision 0014).
    """
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = bool(torch.cpu.get_capabilities()["amx_bf16"])
    return torch.bfloat16 if name == "bfloat16" or (name == "auto" and fast) else None


def rows_at_once(device: torch.device) -> int:
    """Return how many rows are drawn at once: enough to keep the device busy, few enough for a processor's cache."""
    return 16_384 if device.type == "cuda" else 4_000


def seeded(rng: np.random.Generator, device: torch.device) -> torch.Generator:
    """Return a stream of a device's own, seeded from ours."""
    return torch.Generator(device=device).manual_seed(int(rng.integers(2**62)))


@contextmanager
def repeatable() -> Generator[None]:
    """Let PyTorch compute meanwhile so that the same seed gives the same numbers on the same device.

    One thread: sums then do not depend on how many threads share them. Small networks gain nothing from a second one;
    the other core fits another candidate or measures. Where there is a GPU, sums are taken in a fixed order, not in
    that in which its threads finish; where PyTorch has no such way it warns. cuBLAS's setting stays for the process.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    accelerated = torch.cuda.is_available()
    fixed, only_warned = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    filled = deterministic.fill_uninitialized_memory  # pyright: ignore[reportAttributeAccessIssue]
    if accelerated:
        # Read by cuBLAS when it starts; its sums may otherwise depend on which workspace is free.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
        deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if accelerated:
            torch.use_deterministic_algorithms(mode=fixed, warn_only=only_warned)
            deterministic.fill_uninitialized_memory = filled  # pyright: ignore[reportAttributeAccessIssue]
