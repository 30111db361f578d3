"""Write docs/faults.md from the records of injected faults."""

from __future__ import annotations


def write_page() -> None:
    """Write the page."""
