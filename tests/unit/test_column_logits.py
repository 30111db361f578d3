"""Softmaxes over the segments of a row agree with one column after another, and shares can be mended."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.generators.column_logits import Segments, bent, calibrated, first_logits
from synth_worker.generators.ctgan_net import Maker, Shape


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=6), st.integers(0, 100), st.sampled_from([0.1, 3.0, 200.0]))
def test_losses_are_those_of_one_column_after_another(widths: list[int], seed: int, scale: float) -> None:
    segments, generator = Segments(widths), stream(seed)
    logits = bent(torch.randn(9, sum(widths), generator=generator) * scale)
    states = torch.stack([torch.randint(0, width, (9,), generator=generator) for width in widths], dim=1)
    parts = logits.split(widths, dim=1)
    losses = [torch.nn.functional.cross_entropy(own, states[:, at], reduction="none") for at, own in enumerate(parts)]
    assert torch.allclose(segments.losses(logits, states), torch.stack(losses, dim=1), atol=1e-4)
    columns = torch.randint(0, len(widths), (9,), generator=generator)
    one = segments.losses_at(logits, columns, states.gather(1, columns[:, None])[:, 0])
    assert torch.allclose(one, torch.stack(losses, dim=1).gather(1, columns[:, None])[:, 0], atol=1e-4)
    shares = torch.cat([own.log_softmax(dim=1) for own in parts], dim=1)
    assert torch.allclose(segments.log_shares(logits), shares, atol=1e-4)


def test_one_hots_and_counts_say_the_same() -> None:
    segments = Segments((2, 3))
    states = torch.tensor([[0, 2], [1, 2], [1, 0]])
    assert segments.one_hot(states).sum(dim=0).tolist() == segments.counts(states).tolist() == [1, 2, 1, 0, 2]


def test_shares_of_drawn_states_become_the_counted_ones() -> None:
    counts = [np.array([900, 100]), np.array([30, 0, 470, 500])]
    segments = Segments((2, 4))
    logits = torch.randn(5_000, 6, generator=stream()) * 1.5
    added = calibrated(segments, logits, counts)
    drawn = segments.log_shares(logits + added).exp().mean(dim=0)
    wanted = torch.tensor([0.9, 0.1, 0.03, 0.0, 0.47, 0.5])
    assert (drawn - wanted).abs().max() < 0.02
    assert drawn[3] == 0


def test_first_logits_are_the_shares() -> None:
    found = torch.tensor(first_logits([np.array([300, 700]), np.array([5, 0])])).exp()
    assert torch.allclose(found[:2], torch.tensor([0.3, 0.7]), atol=1e-3)
    assert abs(float(found[2:].sum()) - 1) < 1e-6


def test_soft_states_add_up_and_hide_the_scores_of_other_states() -> None:
    maker = Maker(Shape((2, 3, 4), (1,), hidden=8), generator=stream())
    logits = bent(torch.randn(200, 9, generator=stream()) * 50)
    made = maker.soft(logits, torch.full((200, 1), 5.0), generator=stream(1))
    assert torch.isfinite(made).all()
    assert torch.allclose(maker.segments.membership.T @ made[:, :9].T, torch.ones(3, 200), atol=1e-4)
    assert torch.allclose(made[:, 9], 5 * made[:, 2])
