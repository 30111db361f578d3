"""Draw the attempts of a run by privacy and utility, and the front among them."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from synth_worker.report.parts import FrontPoint
from synth_worker.report.svg import WIDTH, path, picture, text

_LEFT, _RIGHT, _TOP, _BOTTOM = 30.0, WIDTH - 14.0, 34.0, 160.0
COIN, LEAST_REACH = 0.5, 0.6


def reach(points: Sequence[FrontPoint]) -> tuple[float, float]:
    """Return the ends of both axes: detection, attack."""
    return (
        max(LEAST_REACH, *(one.detection for one in points)),
        max(LEAST_REACH, *(one.attack for one in points)),
    )


def front(points: Sequence[FrontPoint], *, title: str, axes: tuple[str, str], ends: tuple[str, str, str]) -> Markup:
    """Draw the points; ``axes`` name detection and attack, ``ends`` are a coin toss and the ends of both as text.

    Filled is on the front, hollow is beaten, a ring is what is delivered; numbers are those of the attempts.
    """
    wide, high = reach(points)

    def at(point: FrontPoint) -> tuple[float, float]:
        across = (min(max(point.detection, COIN), wide) - COIN) / (wide - COIN)
        up = (min(max(point.attack, COIN), high) - COIN) / (high - COIN)
        return _LEFT + (_RIGHT - _LEFT) * across, _BOTTOM - (_BOTTOM - _TOP) * up

    body = [path(f"M{_LEFT:g} {_TOP:g}V{_BOTTOM:g}H{_RIGHT:g}", role="axis")]
    on = sorted((at(one) for one in points if one.on), key=lambda place: (place[0], -place[1]))
    if len(on) > 1:
        # Steps: between two points nothing was reached that is better than both.
        steps = f"M{on[0][0]:.4g} {on[0][1]:.4g}" + "".join(f"H{x:.4g}V{y:.4g}" for x, y in on[1:])
        body.append(path(steps, role="made-line"))
    for point in points:
        x, y = at(point)
        role = "dot" if point.on else "floor"
        body.append(Markup('<circle class="{}" cx="{:.4g}" cy="{:.4g}" r="4.2"/>').format(role, x, y))
        if point.kept:
            body.append(Markup('<circle class="axis" cx="{:.4g}" cy="{:.4g}" r="7.5"/>').format(x, y))
        end = x > _RIGHT - 20
        body.append(text(x - 9 if end else x + 9, y - 5, str(point.number), anchor="end" if end else "start"))
    body += [
        text(_LEFT, _TOP - 22, axes[1]),
        text(_RIGHT, _BOTTOM + 15, f"{axes[0]} {ends[1]}", anchor="end"),
        text(_LEFT - 4, _TOP + 9, ends[2], anchor="end", role="small"),
        text(_LEFT - 4, _BOTTOM, ends[0], anchor="end", role="small"),
        text(_LEFT, _BOTTOM + 15, ends[0], anchor="middle"),
    ]
    return picture(_BOTTOM + 20, Markup("").join(body), title=title)
