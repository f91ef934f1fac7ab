"""What stops the work with a state. The text tells a person where, and what to do."""

from __future__ import annotations


class StateRefused(Exception):
    """Going on with what was found would be wrong: it is damaged, newer than this program, or in use."""


class StoreFailed(Exception):
    """The disk did not take or give what it should. Nothing of it was acknowledged."""


class Unsuitable(Exception):
    """What was asked for does not go with what is there. Another name, option or file helps."""
