"""Keep one test's runs from steering the next one's, and leave what takes long out of the quick tier.

Warm starts are on only where a test asks for them. ``slow.txt`` names the tests that took longest on two cores, as
``pytest --durations=0`` shows them: ``make test`` runs them, ``make check`` does not.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ["GESALP_WARM_START"] = "false"

SLOW = frozenset(Path(__file__).with_name("slow.txt").read_text("utf-8").split())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that ``slow.txt`` names, with all of their parameters."""
    for item in items:
        if item.nodeid.partition("[")[0] in SLOW:
            item.add_marker(pytest.mark.slow)
