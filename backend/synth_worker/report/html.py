"""Render a document as one HTML page that needs nothing else: no script, no font, no request."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from synth_worker.report import charts, svg, texts
from synth_worker.report.curve import curve
from synth_worker.report.front import COIN, front, reach
from synth_worker.report.parts import Associations, ColumnView, Document, Figure, Filler, Said, Trial
from synth_worker.report.texts import Language

PAIRS = 200
"""So many pairs of columns stand in the table under the association matrices."""

TERMS = (
    "amber", "auc", "certificate", "crossfit", "dp", "floor", "gate", "interval", "upper", "member", "mia", "profile",
    "synthetic", "validation",
)  # fmt: skip


def render(document: Document, *, language: str = "en") -> str:
    """Return the page. Raises UnknownName for a language that there is none of."""
    tongue = texts.language(language)
    voice = _Voice(tongue)
    page = _template(tongue.code).render(
        doc=document,
        code=tongue.code,
        w=voice.word,
        light=svg.light,
        symbols=svg.symbols(),
        interval=voice.interval,
        column_chart=voice.column_chart,
        missing_chart=partial(voice.missing_chart, document.columns),
        attack_chart=partial(voice.attack_chart, document),
        training_chart=voice.training_chart,
        attempts_chart=partial(voice.attempts_chart, document),
        front_chart=partial(voice.front_chart, document),
        maps=voice.maps,
        pairs=pairs,
        terms=TERMS,
    )
    return page.strip() + "\n"


@cache
def _template(code: str) -> Template:
    """Return the template in one language; reading it takes longer than filling it, and each run fills it twice."""
    voice = _Voice(texts.language(code))
    place = Environment(
        loader=PackageLoader("synth_worker.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    place.filters["t"] = voice.say
    place.filters["fig"] = voice.figure
    place.filters["pct"] = voice.percent
    return place.get_template("report.html.j2")


def pairs(found: Associations) -> list[tuple[str, str, float, float, float]]:
    """Return the pairs drawn with real, synthetic and difference, largest difference first."""
    rows = [
        (found.names[a], found.names[b], found.real[a][b], found.synthetic[a][b], found.difference[a][b])
        for a in range(len(found.names))
        for b in range(a + 1, len(found.names))
    ]
    return sorted(rows, key=lambda row: -abs(row[4]))[:PAIRS]


class _Voice:
    """Speak one language for the template and label its pictures."""

    def __init__(self, tongue: Language) -> None:
        self.tongue = tongue

    def say(self, said: Said) -> str:
        return texts.speak(said, self.tongue)

    def word(self, key: str, values: Mapping[str, Filler] | None = None) -> str:
        return self.say(Said(key, values or {}))

    def figure(self, value: float | None, decimals: int = 3) -> str:
        return texts.figure(value, self.tongue, decimals=decimals)

    def percent(self, share: float | None) -> str:
        return texts.percent(share, self.tongue)

    def interval(self, figure: Figure) -> Markup:
        if figure.value is None or figure.limit is None:
            return Markup("")
        title = self.word("interval.title", {"label": figure.label, "value": figure.value, "limit": figure.limit})
        return svg.interval(figure, title=title)

    def column_chart(self, view: ColumnView) -> Markup:
        if view.shares is None:
            return Markup("")
        title = self.word("columns.title", {"name": view.name})
        if view.shares.edges:
            return charts.histogram(view.shares, title=title)
        found = list(zip(view.shares.real, view.shares.synthetic, strict=True))
        top = self.percent(max(max(pair) for pair in found))
        return charts.paired_bars([self.say(one) for one in view.shares.cells], found, title=title, top=top)

    def missing_chart(self, views: tuple[ColumnView, ...]) -> Markup:
        gaps = [(one.name, one.missing) for one in views if one.missing is not None and any(one.missing)]
        if not gaps:
            return Markup("")
        found = [missing for _, missing in gaps]
        top = self.percent(max(max(pair) for pair in found))
        names = [name for name, _ in gaps]
        return charts.paired_bars(names, found, title=self.word("columns.missing.title"), top=top)

    def attack_chart(self, document: Document) -> Markup:
        known = [(self.say(one.label), one.auc) for one in document.attacks if one.auc is not None]
        if not known:
            return Markup("")
        return charts.attack_dots(
            [label for label, _ in known],
            [auc for _, auc in known],
            title=self.word("privacy.attacks.title"),
            limit=document.attack_limit,
            words=(self.word("attacks.chance"), self.word("attacks.limit")),
        )

    def attempts_chart(self, document: Document) -> Markup:
        trials = document.history.trials
        if not trials:
            return Markup("")
        return charts.ratio_bars(
            [f"{trial.number} {trial.method}" for trial in trials],
            [trial.worst for trial in trials],
            title=self.word("attempts.title"),
            ends=[
                self.word("light.failed") if trial.worst is None else self.figure(trial.worst, 2) for trial in trials
            ],
        )

    def front_chart(self, document: Document) -> Markup:
        points = document.history.front
        if not points:
            return Markup("")
        wide, high = reach(points)
        return front(
            points,
            title=self.word("front.title"),
            axes=(self.word("front.useful"), self.word("front.private")),
            ends=(self.figure(COIN, 1), self.figure(wide, 2), self.figure(high, 2)),
        )

    def training_chart(self, trial: Trial) -> Markup:
        if trial.curve is None:
            return Markup("")
        losses = [one for line in (trial.curve.member, trial.curve.held) for one in line if one is not None]
        steps = trial.curve.steps[-1]
        return curve(
            trial.curve,
            title=self.word("training.title", {"steps": steps}),
            figures=(self.figure(max(losses), 2), self.figure(min(losses), 2)),
            ends=("0", self.figure(float(steps), 0)),
        )

    def maps(self, found: Associations) -> list[tuple[str, Markup, Markup]]:
        """Return the three heat maps: heading, picture, legend of its tones."""
        gap = max((abs(value) for row in found.difference for value in row), default=0.0)
        # A scale that follows the noise would paint a perfect table in full colour.
        reach = max(0.1, gap)
        drawn: list[tuple[str, Markup, Markup]] = []
        for key, matrix, far in (
            ("real", found.real, 1.0),
            ("synthetic", found.synthetic, 1.0),
            ("difference", found.difference, reach),
        ):
            what = self.word(f"associations.{key}")
            title = self.word("associations.title", {"what": what})
            marks = (self.figure(-far, 2), self.figure(0, 0), self.figure(far, 2))
            drawn.append(
                (
                    what,
                    charts.heat_map(matrix, found.names, title=title, reach=far),
                    charts.tone_scale(marks, title=self.word("associations.scale", {"reach": far})),
                )
            )
        return drawn
