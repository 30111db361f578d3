"""Take a training step on a GPU as one graph of its kernels instead of hundreds of launches.

A step of these networks keeps a GPU busy for a millisecond, and a processor, which must launch each kernel, for ten.
CUDA graphs (Gray 2019, Getting Started with CUDA Graphs) record the launches once and repeat them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

Step = Callable[[Tensor], Tensor]
"""Takes positions of rows on the GPU, improves what it will, returns the loss there."""

WARM_UP = 3
"""Steps taken one kernel at a time before recording: memory of optimisers and libraries is set up in them."""


class Captured:
    """Repeat a step as it was recorded.

    ``generator`` is what the step draws its noise from: a repeat draws on, as if the kernels were launched anew. What
    the step reads and changes must stay where it is in memory; after it moved, ``forget``. ``rate`` is the learning
    rate, a number on the GPU: optimisers are given it once, steps change what it is. A step that cannot be recorded is
    taken one kernel at a time, with a warning.
    """

    def __init__(self, *, generator: torch.Generator) -> None:
        self.generator = generator
        self.rate = torch.zeros((), device=generator.device)
        self.recordable = True
        self.forget()

    def forget(self, *optimizers: torch.optim.Optimizer) -> None:
        """Record anew, after some steps; optimisers that were restored are given the rate again."""
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.rate
        self.taken = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.rows = self.loss = torch.empty(0)

    def __call__(self, step: Step, rows: Tensor, *, rate: float) -> Tensor:
        """Take a step, always the same one; return its loss."""
        self.rate.fill_(rate)
        if self.graph is not None and self.rows.shape != rows.shape:
            self.forget()
        if self.graph is None and self.recordable and self.taken >= WARM_UP:
            self._record(step, rows)
        if self.graph is None:
            self.taken += 1
            return _beside(step, rows)
        self.rows.copy_(rows)
        self.graph.replay()
        return self.loss.clone()

    def _record(self, step: Step, rows: Tensor) -> None:
        self.rows = rows.clone()
        before = self.generator.clone_state()
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.generator)
        try:
            # A recording that fails may leave its own stream behind as the current one: the outer context puts it back.
            with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph):
                self.loss = step(self.rows)
        except RuntimeError as error:
            self.recordable = False
            self.generator.graphsafe_set_state(before)
            warnings.warn(f"trained one kernel at a time, a step cannot be recorded: {error}", stacklevel=2)
            return
        self.graph = graph


def _beside(step: Step, rows: Tensor) -> Tensor:
    """Take a step one kernel at a time, on a stream of its own: recording may not depend on the main one's work."""
    main, own = torch.cuda.current_stream(), torch.cuda.Stream()
    own.wait_stream(main)
    with torch.cuda.stream(own), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*capturable")  # optimisers wonder why they are not recorded
        loss = step(rows)
    main.wait_stream(own)
    return loss
