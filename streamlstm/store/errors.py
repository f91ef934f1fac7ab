"""Why there is no state: what was found is refused, or the disk failed. The text tells a person what to do."""

from __future__ import annotations


class StateRefused(Exception):
    """Going on with what was found would be wrong: it is damaged, newer than this program, or in use."""


class StoreFailed(Exception):
    """The disk did not take or give what it should. Nothing of it was acknowledged."""
