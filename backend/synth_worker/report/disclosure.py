"""Blur the counts of real rows that may leave the house, so that no small group and no difference of totals shows.

Three steps, each against its own attack: groups of fewer than ``SMALL_CELL`` rows are merged with others (nobody is
singled out), the merged group itself reaches that size (no subtraction from the total), and what is left is rounded to
a multiple of ``SMALL_CELL`` (no subtraction between two reports or two pictures).

What has to be enough is people. Where a person has several rows, the counts that decide are counts of people per group;
a person may stand in many groups, so several groups together count as the largest of them (``together=max``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from synth_worker.gates import SMALL_CELL

Together = Callable[[Iterable[int]], int]
"""Count the people of several groups: ``sum`` where each row is a person, else ``largest``."""


def largest(counts: Iterable[int]) -> int:
    """Return the fewest people that groups of these sizes can hold together.

    >>> largest([2, 3]), largest([])
    (3, 0)
    """
    return max(counts, default=0)


def small(count: int) -> bool:
    """Tell whether a count is one that may not be shown.

    >>> [small(count) for count in (0, 1, 4, 5)]
    [False, True, True, False]
    """
    return 0 < count < SMALL_CELL


def blurred(count: int) -> int:
    """Return a count rounded to the nearest multiple of ``SMALL_CELL``.

    >>> [blurred(count) for count in (5, 7, 8, 1234)]
    [5, 5, 10, 1235]
    """
    return SMALL_CELL * round(count / SMALL_CELL)


def blurred_share(count: int, total: int, *, people: Sequence[int] | None = None) -> float | None:
    """Return the share of a group, None where the group or its complement (``people`` of each) is small.

    >>> blurred_share(3, 100), blurred_share(98, 100), blurred_share(21, 100)
    (None, None, 0.2)
    """
    if any(map(small, people or (count, total - count))):
        return None
    return blurred(count) / max(blurred(count) + blurred(total - count), 1)


def kept_labels(counts: Sequence[int], most: int, *, together: Together = sum) -> list[int]:
    """Return which labels may be named, most frequent first; all others go into one group.

    The group of the others is empty or holds at least ``SMALL_CELL`` rows: where it is short, the rarest named label
    joins it.

    >>> kept_labels([50, 2, 30, 1], 12)
    [0]
    >>> kept_labels([50, 2, 30, 3], 12)
    [0, 2]
    >>> kept_labels([50, 30, 0], 12)
    [0, 1]
    """
    order = sorted(range(len(counts)), key=lambda place: (-counts[place], place))
    named = [place for place in order if counts[place] >= SMALL_CELL][:most]
    while named and small(together(counts[place] for place in order if place not in named)):
        named.pop()
    return named


def merged_bins(counts: Sequence[int], *, together: Together = sum) -> list[tuple[int, int]]:
    """Return neighbouring bins as half-open ranges such that each holds no real row or at least ``SMALL_CELL``.

    A small bin joins its neighbour on the right; what is left at the right end joins the last one before it.

    >>> merged_bins([1, 9, 0, 20, 2])
    [(0, 2), (2, 3), (3, 5)]
    >>> merged_bins([1, 2])
    [(0, 2)]
    """
    ranges: list[tuple[int, int]] = []
    start = 0
    for place in range(len(counts)):
        if not small(together(counts[start : place + 1])):
            ranges.append((start, place + 1))
            start = place + 1
    if start < len(counts):
        while ranges and not any(counts[slice(*ranges[-1])]):
            start = ranges.pop()[0]
        if ranges:
            start = ranges.pop()[0]
        ranges.append((start, len(counts)))
    return ranges
