"""Verify forecasts against observations: the scores of every method from windows, in bounded memory."""

from collections.abc import Mapping

from tqdm import tqdm

from predjax.messages import show_wait
from predjax.verification.cases import Cases, Method, split
from predjax.verification.totals import Verification, measure_cases


def verify(methods: Mapping[str, Method], cases: Cases) -> Verification:
    """Score every method on the same windows, batch after batch."""
    parts = split(cases)
    with tqdm(total=len(parts), desc="verifying", unit="batch", disable=None, leave=False) as bar:
        totals = measure_cases(methods, cases, parts, bar.update)
    with show_wait("computing intervals"):
        return totals.skill(cases)
