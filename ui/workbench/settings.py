"""What `research ui` was started with; one value for the process, whatever number of pages it serves."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from palimpsest.workflows.config import Config


@dataclass(frozen=True)
class Settings:
    """`config` as of any run of this folder. `is_local`: only this machine can reach the page, so that it may name folders of it."""

    config: Config = field(default_factory=Config)
    folder: Path = field(default_factory=Path.cwd)
    is_local: bool = True

    @property
    def runs(self) -> Path:
        return self.folder / self.config.out


_held: list[Settings] = []


def hold(settings: Settings) -> None:
    """Serve by these from now on."""
    _held[:] = [settings]


def current() -> Settings:
    """Those that are served by; what a plain run would take where nothing was held."""
    if not _held:
        hold(Settings(Config.load()))
    return _held[0]
