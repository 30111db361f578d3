"""Say in English what the curve of a training shows."""

from __future__ import annotations

from collections.abc import Mapping

TRAINING: Mapping[str, str] = {
    "training.chart": "Training of attempt {number:n} ({method})",
    "training.title": "The loss over {steps:n} steps of training",
    "training.member": "loss of rows learnt from",
    "training.held": "loss of rows held out",
    "training.loss": "loss while training",
    "training.about": "Where the loss of held-out rows stops falling while the other falls on, more steps "
    "would memorise.",
    "training.notes": "In the training",
}
