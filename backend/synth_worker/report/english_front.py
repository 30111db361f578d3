"""Say in English what the picture of privacy against utility shows."""

from __future__ import annotations

from collections.abc import Mapping

FRONT: Mapping[str, str] = {
    "front.chart": "Privacy against utility, on validation rows",
    "front.title": "Attempts by detection and by the upper bound of the worst attack; nearer to the corner is better",
    "front.private": "worst attack, upper bound",
    "front.useful": "detection (C2ST)",
    "front.on": "on the front: no other attempt is better in everything",
    "front.off": "beaten by another attempt",
    "front.about": "Both axes begin at 0.5, a coin toss. gesalp pareto chooses along the front without training anew; "
    "what fails a gate is chosen only where nothing passes.",
}
