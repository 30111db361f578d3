"""Keep one test's runs from steering the next one's: warm starts are on only where a test asks for them."""

from __future__ import annotations

import os

os.environ["GESALP_WARM_START"] = "false"
