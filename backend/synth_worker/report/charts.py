"""Draw what the document decided: histograms, bars, heat maps, attacks and attempts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from markupsafe import Markup

from synth_worker.report.parts import Shares
from synth_worker.report.svg import WIDTH, path, picture, rect, short, text

_LEFT, _RIGHT = 8.0, WIDTH - 8.0
_MARGIN = 116.0
_THINNEST = 1e-9
"""A bin is at least so wide beside all of them, so that its height stays a number."""

_TONES = 5
"""A heat map has so many tones on either side of none; tones that can be told apart beat a smooth ramp."""

Matrix = Sequence[Sequence[float]]


@dataclass(frozen=True)
class _Scale:
    """Map values to places along an axis; what lies outside is drawn at its end."""

    low: float
    high: float
    start: float = _MARGIN + 6
    stop: float = _RIGHT

    def at(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + (self.stop - self.start) * share


def histogram(shares: Shares, *, title: str) -> Markup:
    """Draw a filled real histogram under a synthetic outline; area is share, so merged bins stay honest."""
    inner, shift = _from_0_to_1(shares.edges, shares.shift)
    usual = max(median(b - a for a, b in pairwise(inner)), _THINNEST) if len(inner) > 1 else 1.0
    borders = [inner[0] - usual, *inner, inner[-1] + usual]
    widths = [max(b - a, _THINNEST) for a, b in pairwise(borders)]
    sides = [
        [share * usual / width for share, width in zip(side, widths, strict=True)]
        for side in (shares.real, shares.synthetic)
    ]
    across = _Scale(borders[0], borders[-1], _LEFT, _RIGHT)
    up = _Scale(0.0, max(*sides[0], *sides[1], 1e-9), 112.0, 8.0)
    outlines = [
        f"M{_LEFT:g} 112" + "".join(
            f"V{up.at(height):.4g}H{across.at(border):.4g}" for height, border in zip(side, borders[1:], strict=True)
        ) + "V112"
        for side in sides
    ]  # fmt: skip
    body = [
        path(outlines[0] + "z", role="real-area"),
        path(outlines[1], role="made-line"),
        path(f"M{_LEFT:g} 112H{_RIGHT:g}", role="axis"),
    ]
    every = max(1, math.ceil(len(inner) * (max(map(len, shares.ticks)) + 3) / 52))
    for edge, tick in list(zip(inner, shares.ticks, strict=True))[every // 2 :: every]:
        place = across.at(edge + shift)
        body.append(path(f"M{place:.4g} 112v4", role="axis"))
        half = 3.2 * len(tick)
        body.append(text(min(max(place, half), WIDTH - half), 128, tick, anchor="middle"))
    return picture(136, Markup("").join(body), title=title)


def _from_0_to_1(edges: Sequence[float], shift: float) -> tuple[list[float], float]:
    """Return borders, and how far beside them their texts stand, on a scale from the first border to the last.

    Numbers at the ends of their type would overflow in a difference, and vanish beside each other in a sum.
    """
    half = 0.5 if max(map(abs, edges)) > 1 else 1.0
    span = edges[-1] * half - edges[0] * half
    if not span:
        return [0.0 for _ in edges], shift
    return [(edge * half - edges[0] * half) / span for edge in edges], shift * half / span


def paired_bars(labels: Sequence[str], pairs: Sequence[tuple[float, float]], *, title: str, top: str = "") -> Markup:
    """Draw two bars per label, real above synthetic; ``top`` is the text at the longest bar's end."""
    most = max((max(pair) for pair in pairs), default=0.0) or 1.0
    scale = _Scale(0.0, most)
    body: list[Markup] = []
    for place, (label, (real, made)) in enumerate(zip(labels, pairs, strict=True)):
        y = 6 + place * 22
        body.append(text(_MARGIN, y + 11.5, short(label, 18), anchor="end"))
        body.append(rect(scale.start, y, scale.at(real) - scale.start, 7.5, role="real"))
        body.append(rect(scale.start, y + 8, scale.at(made) - scale.start, 7.5, role="made"))
    end = 8 + len(labels) * 22
    body.append(path(f"M{scale.start:g} 4V{end:g}", role="axis"))
    body.append(path(f"M{_RIGHT:g} 4V{end:g}", role="grid"))
    body.append(text(scale.start, end + 13, "0", anchor="middle"))
    body.append(text(_RIGHT, end + 13, top, anchor="end"))
    return picture(end + 18, Markup("").join(body), title=title)


def heat_map(matrix: Matrix, names: Sequence[str], *, title: str, reach: float = 1.0) -> Markup:
    """Draw a matrix of values from ``-reach`` to ``reach``; rows are named, columns carry the same numbers."""
    left, top = 118.0, 16.0
    side = min((_RIGHT - left) / len(names), 34.0)
    tones: dict[str, list[str]] = {}
    for row, values in enumerate(matrix):
        for place, value in enumerate(values):
            tone = round(min(abs(value) / reach, 1.0) * _TONES)
            if tone:
                at = f"M{left + place * side:.4g} {top + row * side:.4g}h{side - 1:.3g}v{side - 1:.3g}h{1 - side:.3g}z"
                tones.setdefault(f"{'neg' if value < 0 else 'pos'}{tone}", []).append(at)
    end = side * len(names)
    body = [rect(left - 1, top - 1, end + 1, end + 1, role="plate")]
    body += [path("".join(cells), role=tone) for tone, cells in sorted(tones.items())]
    for place, name in enumerate(names):
        middle = (place + 0.5) * side
        body.append(text(left - 6, top + middle + 3.5, f"{short(name, 15)} {place + 1}", anchor="end", role="small"))
        if side >= 14 or place % 2 == 0:
            body.append(text(left + middle, top - 5, str(place + 1), anchor="middle", role="small"))
    return picture(top + end + 6, Markup("").join(body), title=title)


def tone_scale(words: tuple[str, str, str], *, title: str) -> Markup:
    """Draw the legend of a heat map: the tones from most negative to most positive, with three texts under them."""
    step, left = 20.0, 60.0
    body: list[Markup] = []
    for place in range(-_TONES, _TONES + 1):
        x = left + (place + _TONES) * step
        body.append(rect(x, 2, step - 1, 10, role="plate"))
        if place:
            body.append(rect(x, 2, step - 1, 10, role=f"{'neg' if place < 0 else 'pos'}{abs(place)}"))
    for words_at, place in zip(words, (0, _TONES, 2 * _TONES), strict=True):
        body.append(text(left + (place + 0.5) * step, 26, words_at, anchor="middle", role="small"))
    return picture(30, Markup("").join(body), title=title)


def attack_dots(
    labels: Sequence[str], aucs: Sequence[float], *, title: str, limit: float | None, words: tuple[str, str]
) -> Markup:
    """Draw each attack's AUC as its distance from the coin toss; ``words`` name the coin toss and the limit."""
    scale = _Scale(min(0.4, *aucs), max(0.7, (limit or 0) + 0.05, *aucs))
    end = 24 + len(labels) * 22
    body = [path(f"M{scale.at(0.5):.4g} 18V{end}", role="axis"), text(scale.at(0.5), 12, words[0], anchor="middle")]
    if limit is not None:
        body.append(path(f"M{scale.at(limit):.4g} 18V{end}", role="limit"))
        body.append(text(scale.at(limit), 12, words[1], anchor="middle"))
    for place, (label, auc) in enumerate(zip(labels, aucs, strict=True)):
        y = 34 + place * 22
        body.append(text(_MARGIN, y + 4, short(label, 18), anchor="end"))
        body.append(path(f"M{scale.at(0.5):.4g} {y}H{scale.at(auc):.4g}", role="span"))
        body.append(Markup('<circle class="dot" cx="{:.4g}" cy="{}" r="4.2"/>').format(scale.at(auc), y))
    return picture(end + 4, Markup("").join(body), title=title)


def ratio_bars(labels: Sequence[str], ratios: Sequence[float | None], *, title: str, ends: Sequence[str]) -> Markup:
    """Draw each attempt's worst figure as a multiple of its limit; the line at 1 is the limit. None draws no bar."""
    most = max([1.25, *(one for one in ratios if one is not None)])
    # One attempt that went far astray must not press the others flat.
    scale = _Scale(0.0, min(most, 4.0), stop=_RIGHT - 40)
    body: list[Markup] = []
    for place, (label, ratio, words) in enumerate(zip(labels, ratios, ends, strict=True)):
        y = 6 + place * 22
        body.append(text(_MARGIN, y + 11, short(label, 18), anchor="end"))
        stop = scale.start if ratio is None else scale.at(ratio)
        body.append(rect(scale.start, y + 1, stop - scale.start, 12, role="made" if (ratio or 0) > 1 else "real"))
        # A figure that the line of the limit would cross stands beyond it.
        across = stop < scale.at(1.0) < stop + 6 + 7 * len(words)
        body.append(text((scale.at(1.0) if across else stop) + 6, y + 11, words))
    end = 8 + len(labels) * 22
    body.append(path(f"M{scale.at(1.0):.4g} 2V{end}", role="limit"))
    body.append(path(f"M{scale.start:g} 2V{end}", role="axis"))
    body.append(text(scale.at(1.0), end + 13, "1", anchor="middle"))
    return picture(end + 18, Markup("").join(body), title=title)
