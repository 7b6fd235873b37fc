"""Windows that cannot be read where `on_bad_window` is "skip": they are counted, and each reason is logged once."""

import logging

_LOG = logging.getLogger("predjax")
_SAID = 20  # reasons; further ones are only counted


class BadWindows:
    """The windows that could not be read so far.

    Attributes:
      count: how many were skipped.
    """

    def __init__(self) -> None:
        self.count, self._reasons = 0, set[str]()

    def add(self, error: Exception) -> None:
        """Count a window that could not be read because of `error`."""
        self.count += 1
        reason = str(error)
        if reason not in self._reasons and len(self._reasons) < _SAID:
            self._reasons.add(reason)
            _LOG.warning("%s; skipping windows with it", reason)


def tolerate(on_bad_window: str) -> BadWindows | None:
    """Return a counter of the windows that cannot be read, or None where such windows are errors."""
    return BadWindows() if on_bad_window == "skip" else None
