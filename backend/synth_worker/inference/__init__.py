"""Find out what the columns of a table mean, and hold other tables to it."""

from synth_worker.inference.coercion import Coerced, coerce
from synth_worker.inference.raw import Raw
from synth_worker.inference.typing_rules import Typed, infer, infer_identifier

__all__ = ["Coerced", "Raw", "Typed", "coerce", "infer", "infer_identifier"]
