"""SIGHUP: the configuration is read again. One with problems changes nothing, and what is wrong with it is said."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from streamlstm.config import Config
from streamlstm.problems import ConfigError

log = logging.getLogger(__name__)


@dataclass
class Reload:
    """Whether it was asked for. `load` reads the configuration and raises ConfigError."""

    load: Callable[[], Config]
    applied: int = 0
    refused: int = 0
    _is_asked: bool = False

    def ask(self) -> None:
        """May be called in a signal's handler."""
        self._is_asked = True

    def wanted(self, now: Config) -> Config | None:
        """The configuration to go on with, where one was asked for that can be used."""
        if not self._is_asked:
            return None
        self._is_asked = False
        try:
            config = self.load()
            if config.state.directory != now.state.directory:
                raise ConfigError(["state.directory: cannot change while it runs; need a new start for it"])
        except ConfigError as error:
            self.refuse(error)
            return None
        return config

    def refuse(self, error: Exception) -> None:
        """What was asked for cannot be used."""
        self.refused += 1
        for line in str(error).splitlines():
            log.error("event=reload_refused problem=%r", line)
