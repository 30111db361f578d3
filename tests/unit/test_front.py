"""The pages of the front and of the ablation say what is on record, and call beaten only what is."""

from __future__ import annotations

import pytest

from benchmarks import ablation, ablation_page, expected_page, front_page, knob, neural_ablation
from benchmarks.front_page import Ours, answer
from benchmarks.published import Point
from benchmarks.rows import read


def ours(c2st: float, attack: float, cpu: float = 1.0) -> Ours:
    return Ours("mine", 3, c2st, c2st, attack, 0.004, attack, attack, 0.5, 0.0, cpu, 0.004, 0.01)


def theirs(c2st: float = 0.7, attack: float = 0.53, cpu: float = 50.0) -> Point:
    return Point("adult-5k", "other", c2st, attack, None, cpu)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (ours(0.6, 0.52), "both axes"),
        (ours(0.6, 0.535), "tied"),
        (ours(0.6, 0.60), "not beaten"),
        (ours(0.71, 0.50), "not beaten"),
        (ours(0.6, 0.52, cpu=6.0), "not beaten"),
    ],
)
def test_a_point_is_beaten_only_on_both_axes_or_tied_and_at_a_tenth_of_the_cost(own: Ours, said: str) -> None:
    assert said in answer(theirs(), [own])


def test_copies_do_not_make_a_point_better_than_guessing() -> None:
    # A C2ST of .35 against training rows is a sign of copies and counts as .5.
    assert "not beaten" in answer(theirs(c2st=0.49), [ours(0.35, 0.50)])


def test_the_pages_and_pictures_say_what_the_records_say() -> None:
    rows = read("front")
    if rows:
        assert front_page.DOCUMENT.read_text(encoding="utf-8") == front_page.document(rows)
        for name, picture in front_page.pictures(rows).items():
            assert (front_page.CHARTS / name).read_text(encoding="utf-8") == picture
    if rows := read("ablation"):
        about = {name: words for name, (words, _, _) in ablation.VARIANTS.items()}
        assert ablation_page.page_of("ablation").read_text(encoding="utf-8") == ablation_page.document(rows, about)
    if rows := read("neural_ablation"):
        about = {name: words for name, (words, _) in neural_ablation.VARIANTS.items()}
        page = ablation_page.document(rows, about, head=neural_ablation.HEAD)
        assert ablation_page.page_of("neural_ablation").read_text(encoding="utf-8") == page
    if rows := read("knob"):
        assert knob.DOCUMENT.read_text(encoding="utf-8") == knob.document(rows)
    if rows := read("expected"):
        assert expected_page.DOCUMENT.read_text(encoding="utf-8") == expected_page.document(rows)
