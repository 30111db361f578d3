"""Name the other programs that we are measured beside, and keep each in an environment of its own.

None of them is a dependency, and nothing of them is kept here: a folder outside the project holds what the package
index gives for the pinned versions. Their licences differ from ours; they are run for these figures and for nothing
else.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

HOME = Path.home() / ".cache" / "gesalp-peers"


class Peer(NamedTuple):
    """Describe one program: its name in ``published``, in ``peer_driver``, and the environment that it lives in.

    ``takes_missing`` tells whether it accepts empty cells. ``licence`` is what its package states.
    """

    title: str
    program: str
    environment: str
    takes_missing: bool
    licence: str


PEERS = {
    "arf": Peer("random forest (ARF)", "arf", "arfpy", takes_missing=False, licence="MIT"),
    "tabularargn": Peer("TabularARGN", "tabularargn", "mostlyai-engine", takes_missing=True, licence="Apache-2.0"),
    "tvae": Peer("TVAE", "tvae", "ctgan", takes_missing=False, licence="BUSL-1.1"),
    "ctgan": Peer("CTGAN", "ctgan", "ctgan", takes_missing=False, licence="BUSL-1.1"),
}

PRIVATE_PEERS = {
    "smartnoise-mst": Peer(
        "MST (smartnoise-synth)", "smartnoise-mst", "smartnoise-synth", takes_missing=False, licence="MIT"
    ),
    "smartnoise-aim": Peer(
        "AIM (smartnoise-synth)", "smartnoise-aim", "smartnoise-synth", takes_missing=False, licence="MIT"
    ),
}
"""Programs that give a guarantee: ``dp`` measures them at the same epsilon and delta, with the same bounds declared."""

PINS = {
    # arfpy asks for any later pandas and numpy, but uses calls that pandas 3 and numpy 2.4 no longer have.
    "arfpy": ("arfpy==0.1.1", "numpy==1.26.4", "pandas==2.2.3", "scipy==1.13.1", "scikit-learn==1.5.2"),
    "ctgan": (
        "ctgan==0.12.1", "rdt==2.0.0", "torch==2.13.0", "numpy==2.4.6", "pandas==2.3.3", "scipy==1.17.1",
        "scikit-learn==1.9.1",
    ),
    "mostlyai-engine": (
        "mostlyai-engine==2.7.3", "torch==2.13.0", "torchaudio==2.11.0", "torchvision==0.28.0", "transformers==5.24.0",
        "numpy==2.4.6", "pandas==3.1.1", "scikit-learn==1.9.1",
    ),
    "smartnoise-synth": (
        "smartnoise-synth==1.0.8", "smartnoise-sql==1.0.10", "mbi==1.1.0", "opendp==0.14.2", "jax==0.10.2",
        "torch==2.13.0", "numpy==2.4.6", "pandas==2.3.3", "scipy==1.17.1",
    ),
}  # fmt: skip
"""What is installed in each environment."""

TAKEN_OUT = {
    # Only its language models use them; built for another kind of torch than the installed one, they break its import.
    "mostlyai-engine": ("torchaudio", "torchvision"),
}
"""What is taken out again."""


class Unavailable(Exception):
    """Tell that an environment could not be made."""


def environment(name: str, *, home: Path = HOME) -> Path:
    """Return the python of an environment, which is made where it is not there or holds other versions.

    Raises Unavailable where its packages cannot be installed.
    """
    folder, pins = home / name, "\n".join((*PINS[name], *(f"without {one}" for one in TAKEN_OUT.get(name, ()))))
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == pins:
        return python
    folder.mkdir(parents=True, exist_ok=True)
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    steps = [[sys.executable, "-m", "venv", "--clear", str(folder)], [*pip, "install", *PINS[name]]]
    if name in TAKEN_OUT:
        steps.append([*pip, "uninstall", "--yes", *TAKEN_OUT[name]])
    for command in steps:
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise Unavailable(f"{name} cannot be installed: {ended.stderr.strip()[-500:]}")
    stamp.write_text(pins, encoding="utf-8")
    return python
