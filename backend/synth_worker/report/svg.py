"""Draw lights and intervals, and hold the strokes that all pictures share.

Pictures are inline SVG without colours of their own: classes name the roles, the style sheet gives them colours for
light, dark and paper. Every picture has a title; text is escaped by ``Markup.format``.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from synth_worker.report.parts import Figure

WIDTH = 340.0
"""All pictures are this wide, so that their text keeps its size on a telephone of 375 pixels."""

_LIGHTS = {
    "green": '<circle class="s" cx="10" cy="10" r="9"/><path class="g" d="M5.5 10.4l3.1 3.1 6-6.6"/>',
    "amber_pass": '<path class="s" d="M10 1.2 19 17.6H1z"/><path class="g" d="M7 13h6"/>',
    "amber_over": '<path class="s" d="M10 1.2 19 17.6H1z"/><path class="g" d="M10 7v4.6m0 2.6v.6"/>',
    "red": '<path class="s" d="M6.3 1h7.4L19 6.3v7.4L13.7 19H6.3L1 13.7V6.3z"/>'
    '<path class="g" d="M6.5 6.5l7 7m0-7l-7 7"/>',
    "suspicious": '<path class="s" d="M6.3 1h7.4L19 6.3v7.4L13.7 19H6.3L1 13.7V6.3z"/>'
    '<path class="g" d="M7.4 7.6c.2-3.4 5.4-3 5 .2-.2 1.6-2.4 1.7-2.4 3.9m0 2.6v.6"/>',
    "unmeasured": '<path class="o" d="M2.5 2.5h15v15h-15z"/><path class="h" d="M6.5 10h7"/>',
    "not-applicable": '<circle class="o" cx="10" cy="10" r="8"/><path class="h" d="M7 10h6"/>',
    "shown": '<circle class="h" cx="10" cy="10" r="2.5"/>',
}
_SAME_SHAPE = {"amber": "amber_pass", "failed": "unmeasured", "not applicable": "not-applicable"}


def symbols() -> Markup:
    """Return the shapes of all lights, to be placed once in a page."""
    shapes = Markup("").join(
        Markup('<symbol id="light-{}" viewBox="0 0 20 20">{}</symbol>').format(name, Markup(shape))  # noqa: S704
        for name, shape in _LIGHTS.items()
    )
    return Markup('<svg class="defs" width="0" height="0" aria-hidden="true">{}</svg>').format(shapes)


def light(name: str) -> Markup:
    """Return the light of a ruling; its word must stand beside it."""
    shape = _SAME_SHAPE.get(name, name)
    tone = shape.split("_")[0]
    return Markup('<svg class="light {}" aria-hidden="true"><use href="#light-{}"/></svg>').format(tone, shape)


def picture(height: float, body: Markup, *, title: str, width: float = WIDTH, kind: str = "chart") -> Markup:
    """Return an SVG with a title for those who hear the page."""
    return Markup(
        '<svg class="{}" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}"><title>{}</title>{}</svg>'
    ).format(kind, width, height, title, title, body)


def text(x: float, y: float, words: str, *, anchor: str = "start", role: str = "") -> Markup:
    """Return a line of text; ``anchor`` is start, middle or end."""
    return Markup('<text x="{:.5g}" y="{:.5g}" class="{} {}">{}</text>').format(x, y, anchor, role, words)


def rect(x: float, y: float, width: float, height: float, *, role: str) -> Markup:
    """Return a bar."""
    return Markup('<rect class="{}" x="{:.5g}" y="{:.5g}" width="{:.4g}" height="{:.4g}"/>').format(
        role, x, y, max(width, 0.0), max(height, 0.0)
    )


def path(points: str, *, role: str) -> Markup:
    """Return a line or a shape."""
    return Markup('<path class="{}" d="{}"/>').format(role, points)


def short(words: str, most: int) -> str:
    """Cut a label so that it fits its margin.

    >>> short("haemoglobin", 6)
    'haemo…'
    """
    return words if len(words) <= most else words[: most - 1] + "…"


def interval(figure: Figure, *, title: str) -> Markup:
    """Draw an estimate with its interval and upper bound on an axis with both limits and the floor."""
    marks = (figure.low, figure.high, figure.upper, figure.limit, figure.upper_limit, figure.floor)
    given = [one for one in marks if one is not None]
    if figure.value is None or figure.limit is None:
        return Markup("")
    low, high = _domain([*given, figure.value], limit=figure.limit)
    width, middle = 200.0, 15.0

    def at(value: float) -> float:
        return 8 + (width - 16) * (min(max(value, low), high) - low) / (high - low)

    body = [path(f"M8 {middle:g}H{width - 8:g}", role="axis")]
    if figure.upper_limit is not None and figure.upper_limit != figure.limit:
        body.append(path(f"M{at(figure.upper_limit):.4g} 3V27", role="bound"))
    body.append(path(f"M{at(figure.limit):.4g} 3V27", role="limit"))
    ends = [one for one in (figure.low, figure.high) if one is not None]
    if ends:
        body.append(path(f"M{at(min(*ends, figure.value)):.4g} 15H{at(max(*ends, figure.value)):.4g}", role="span"))
    if figure.upper is not None:
        # The bound decides, so it is the boldest stroke; the interval may reach beyond it.
        place = at(figure.upper)
        body.append(path(f"M{at(figure.value):.4g} 15H{place:.4g}M{place:.4g} 10.5v9", role="upper"))
    if figure.floor is not None:
        body.append(path(f"M{at(figure.floor):.4g} 9.5l4.5 5.5-4.5 5.5-4.5-5.5z", role="floor"))
    body.append(Markup('<circle class="dot" cx="{:.4g}" cy="15" r="4.2"/>').format(at(figure.value)))
    return picture(30, Markup("").join(body), title=title, width=width, kind="interval")


def _domain(values: Sequence[float], *, limit: float) -> tuple[float, float]:
    """Return the ends of an axis: from 0 for small limits, from 0.4 for figures that start at a coin toss."""
    least = min(0.4 if limit >= 0.5 else 0.0, *values)
    most = max(*values, limit * 1.2 if limit else 0.01)
    return least, most + 0.08 * (most - least)
