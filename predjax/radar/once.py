"""Remarks that are true of thousands of files and are said once."""

import functools
import logging

_LOG = logging.getLogger("predjax")


@functools.cache
def warn_once(text: str) -> None:
    """Logs a warning, the first time in the process that it is given."""
    _LOG.warning("%s", text)
