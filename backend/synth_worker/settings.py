"""Read where files live and what is allowed from the environment (prefix ``GESALP_``)."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Hold the settings of one process.

    ``home``: the folder in which the run store counts looks at certificate rows (``GESALP_HOME``).
    """

    model_config = SettingsConfigDict(env_prefix="GESALP_", frozen=True)

    home: Path = Path("~/.local/share/gesalp")
    max_columns: int = 5_000

    @property
    def folder(self) -> Path:
        """Return the home folder with ``~`` spelled out."""
        return self.home.expanduser()
