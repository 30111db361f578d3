"""Draw the curve of a training: the losses of rows held out and of rows learnt from, over the steps."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from synth_worker.report.parts import Curve
from synth_worker.report.svg import WIDTH, path, picture, text

_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, WIDTH - 8.0, 8.0, 112.0


def curve(drawn: Curve, *, title: str, figures: tuple[str, str], ends: tuple[str, str]) -> Markup:
    """Draw the lines of a training; ``figures`` are its largest and smallest loss as text, ``ends`` its steps."""
    seen = [one for line in (drawn.member, drawn.held) for one in line if one is not None]
    low, high = min(seen), max(seen)
    if high <= low:
        low, high = low - 0.5, high + 0.5
    most = max(drawn.steps[-1], 1)

    def at(step: int, loss: float) -> str:
        across = _LEFT + (_RIGHT - _LEFT) * step / most
        return f"{across:.4g} {_BOTTOM - (_BOTTOM - _TOP) * (loss - low) / (high - low):.4g}"

    def line(losses: Sequence[float | None]) -> str:
        known = [at(step, loss) for step, loss in zip(drawn.steps, losses, strict=True) if loss is not None]
        return "M" + "L".join(known) if len(known) > 1 else ""

    body = [
        path(f"M{_LEFT:g} {_TOP:g}V{_BOTTOM:g}H{_RIGHT:g}", role="axis"),
        *(path(points, role=role) for points, role in _lines(line(drawn.member), line(drawn.held)) if points),
        text(_LEFT - 5, _TOP + 8, figures[0], anchor="end"),
        text(_LEFT - 5, _BOTTOM, figures[1], anchor="end"),
        text(_LEFT, _BOTTOM + 15, ends[0], anchor="middle"),
        text(_RIGHT, _BOTTOM + 15, ends[1], anchor="end"),
    ]
    return picture(_BOTTOM + 20, Markup("").join(body), title=title)


def _lines(member: str, held: str) -> tuple[tuple[str, str], ...]:
    return (member, "real-line"), (held, "made-line")
