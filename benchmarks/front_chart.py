"""Draw C2ST against the attack as an SVG that reads in light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 680, 480
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 40, 50
LABEL_GAP, MOST_SHIFTED = 13, 24
Mark = tuple[str, float, float, float]
"""A label, C2ST, attack, and half the width of the attack's interval."""

STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1c2733}.quiet{fill:#5b6b7b}.grid{stroke:#d5dde5}"
    ".lead{stroke:#5b6b7b;stroke-width:.7}.ours{fill:#0b6e4f}"
    ".bar-ours{stroke:#0b6e4f;stroke-width:1.5}.theirs{fill:none;stroke:#9a3412;stroke-width:1.8}"
    ".bar-theirs{stroke:#9a3412;stroke-opacity:.45}.back{fill:#fff}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9fb0c0}.grid{stroke:#33404d}.lead{stroke:#9fb0c0}.ours{fill:#4fd1a5}"
    ".bar-ours{stroke:#4fd1a5}.theirs{stroke:#fdba74}.bar-theirs{stroke:#fdba74}.back{fill:#10161d}}"
)


def chart(title: str, *, ours: Sequence[Mark], theirs: Sequence[Mark]) -> str:
    """Return the picture: ours filled, other programs' open, both with the interval of the attack."""
    marks = [*ours, *theirs]
    low = min(0.48, *(one[2] - one[3] for one in marks))
    high = max(0.60, *(one[2] + one[3] for one in marks))

    def x(value: float) -> float:
        return LEFT + (value - 0.49) / (1.01 - 0.49) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [f'<rect class="back" width="{WIDTH}" height="{HEIGHT}"/>']
    for tick in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        parts.append(f'<path class="grid" d="M{x(tick):.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text x="{x(tick):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick:.1f}</text>')
    step = 0.02 if high - low < 0.2 else 0.05
    for place in range(round(0.3 / step), round(0.8 / step)):
        if low <= place * step <= high:
            level = y(place * step)
            parts.append(f'<path class="grid" d="M{LEFT} {level:.1f}H{WIDTH - RIGHT}"/>')
            parts.append(f'<text x="{LEFT - 8}" y="{level + 4:.1f}" text-anchor="end">{place * step:.2f}</text>')
    taken: list[tuple[float, float]] = []
    for kind, group in (("theirs", theirs), ("ours", ours)):
        for name, c2st, attack, error in group:
            across, level = x(c2st), y(attack)
            parts.append(
                f'<path class="bar-{kind}" d="M{across:.1f} {y(attack - error):.1f}V{y(attack + error):.1f}"/>'
                f'<circle class="{kind}" cx="{across:.1f}" cy="{level:.1f}" r="5"/>'
            )
            left = across > 0.72 * WIDTH
            spot = _free(taken, across, level + 4)
            taken.append((across, spot))
            if abs(spot - level - 4) > LABEL_GAP:  # far from its point: a line says whose label it is
                aside = across + (-8 if left else 8)
                parts.append(f'<path class="lead" d="M{across:.1f} {level:.1f}L{aside:.1f} {spot - 4:.1f}"/>')
            parts.append(
                f'<text class="{"" if kind == "ours" else "quiet"}" x="{across + (-9 if left else 9):.1f}" '
                f'y="{spot:.1f}" text-anchor="{"end" if left else "start"}">{escape(name)}</text>'
            )
    parts.append(f'<text x="{LEFT}" y="22" font-weight="600">{escape(title)}: filled ours, open other programs</text>')
    parts.append(f'<text class="quiet" x="{LEFT}" y="{HEIGHT - 10}">C2ST against training rows (0.5 is best)</text>')
    parts.append(
        f'<text class="quiet" transform="translate(14 {HEIGHT - BOTTOM}) rotate(-90)">'
        "stronger of two attacks, AUC (0.5 is best)</text>"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="C2ST against the stronger attack on {escape(title)}"><style>{STYLE}</style>'
        f"{''.join(parts)}</svg>\n"
    )


def _free(taken: Sequence[tuple[float, float]], across: float, level: float) -> float:
    """Return a height near ``level`` where no other label stands."""
    for shift in sorted(range(-MOST_SHIFTED, MOST_SHIFTED + 1), key=lambda one: (abs(one), -one)):
        spot = level + shift * LABEL_GAP
        if TOP + 4 <= spot <= HEIGHT - BOTTOM and all(
            abs(spot - high) >= LABEL_GAP or abs(across - wide) > 120 for wide, high in taken
        ):
            return spot
    return level
