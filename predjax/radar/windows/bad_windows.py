"""Windows that cannot be read, where `on_bad_window` is "skip": counted, and every reason said once."""

import logging

_LOG = logging.getLogger("predjax")
_SAID = 20  # reasons, after which they are counted only


class BadWindows:
    """What could not be read so far.

    Attributes:
      count: windows that were skipped.
    """

    def __init__(self):
        self.count, self._reasons = 0, set()

    def add(self, error: Exception) -> None:
        """Counts a window whose reading ended in `error`."""
        self.count += 1
        reason = str(error)
        if reason not in self._reasons and len(self._reasons) < _SAID:
            self._reasons.add(reason)
            _LOG.warning("%s; skipping windows with it", reason)


def tolerate(on_bad_window: str) -> BadWindows | None:
    """Where to put windows that cannot be read; None: they are errors."""
    return BadWindows() if on_bad_window == "skip" else None
