"""The verification of forecasts against observations: the scores of every method, in bounded memory."""

import logging
import time
from collections.abc import Mapping

from tqdm import tqdm

from predjax.messages import show_wait
from predjax.verification.cases import Cases, Method, split
from predjax.verification.shown import ShownCases
from predjax.verification.totals import Verification, Watch, measure_cases

LOG = logging.getLogger("predjax")
LONG_SECONDS = 30.0  # a method that may take longer than this for all cases is announced


def verify(
    methods: Mapping[str, Method], cases: Cases, reference: str | None = None, *, keep: bool = False
) -> Verification:
    """Score every method on the same windows, batch after batch, with a progress bar that names the current method.

    After the first batch of a slow method a line tells the time that its forecasts took.

    Args:
      methods: the methods to score.
      cases: the windows, and how they are scored.
      reference: the method that the others are compared with; None: see `cases.find_baseline`.
      keep: whether the forecasts of the cases that a report shows are kept.
    """
    parts = split(cases)
    shown = ShownCases()
    with tqdm(total=len(parts), desc="verifying", unit="batch", disable=None, leave=False) as bar:
        pace = Pace(bar, len(parts[0]), len(cases.windows))
        watch = Watch(pace.wait, shown.add, pace.done) if keep else Watch(pace.wait, done=pace.done)
        totals = measure_cases(methods, cases, parts, watch)
    with show_wait("computing intervals"):
        return totals.skill(cases, reference)._replace(kept=shown.kept)


class Pace:
    """A progress bar that names the current method, and a line about slow methods after their first batch."""

    def __init__(self, bar: tqdm, first: int, cases: int) -> None:
        self.bar, self.first, self.cases = bar, first, cases
        self.method, self.since, self.is_first = "", 0.0, True

    def wait(self, method: str) -> None:
        """Note that the last method has ended and that `method` begins; "" stands for the computation of the scores."""
        now = time.monotonic()
        if self.method and self.is_first:
            self._announce((now - self.since) / self.first)
        self.method, self.since = method, now
        self.bar.set_description(f"verifying {method}" if method else "scoring")

    def done(self) -> None:
        """Note the end of a batch."""
        self.is_first = False
        self.bar.update()

    def _announce(self, seconds: float) -> None:
        if self.cases > self.first and seconds * self.cases >= LONG_SECONDS:
            with self.bar.external_write_mode():
                LOG.info("%s: about %.1f s a case, %d cases (from the first)", self.method, seconds, self.cases)
