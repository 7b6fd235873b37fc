"""The uncertainty of scores: confidence intervals by a bootstrap over blocks of cases.

Blocks are drawn with replacement, as many as there are; the sums of the drawn blocks give one score, and the spread of
many such scores is the uncertainty. All methods are scored on the same draws: their difference can then be told from
zero although the scores of both vary a lot from event to event. Percentile intervals of few blocks are too narrow; the
correction of Hesterberg (2015), The American Statistician 69, 371-386, section 3.2, widens them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import ndtr, stdtrit

from predjax.verification.case_blocks import sum_blocks
from predjax.verification.sums import MEMBER_DIMS, check_same_labels

FEWEST_BLOCKS = 5
UNDEFINED_ALLOWED = 0.01  # a draw misses k of many blocks with the chance exp(-k): about five blocks have the event
CHUNK_VALUES = 2**23  # resampled sums held at a time: 64 MiB
VERDICTS = ("resolved", "not resolved", "too few cases", "undefined", "reference")


@dataclass(frozen=True)
class Draws:
    """The settings of a bootstrap: the number of draws, the confidence level and the seed."""

    resamples: int = 2000
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resamples < 1 or not 0 < self.level < 1:
            raise ValueError(
                f"resamples must be positive and level between 0 and 1, not {self.resamples} and {self.level}"
            )


DRAWS = Draws()


def bootstrap(
    statistics: Mapping[str, xr.Dataset],
    score: Callable[[xr.Dataset], xr.Dataset],
    *,
    reference: str | None = None,
    names: Sequence[str] | None = None,
    draws: Draws = DRAWS,
) -> xr.Dataset:
    """Return intervals of the scores of each method, and of their differences to a reference, by block bootstrap.

    Args:
      statistics: the additive statistics of each method, with the dimension `block` (`case_blocks.stack_blocks`); all
        methods have the same blocks of cases.
      score: gives the scores of summed statistics, as `scores.skill` does. It is called on many sums at once, along a
        further dimension `resample`.
      reference: the method to compare with; it adds the paired differences to this method.
      names: the wanted scores; None: all floating point scores.

    Returns:
      For each score `s`, over (method, ...): `s_low`, `s_high`; with a reference also `s_difference` (method -
      reference), `s_difference_low`, `s_difference_high` and `s_verdict`, one of VERDICTS: "resolved" where the
      interval does not hold zero; "not resolved" where it does; "too few cases" with fewer than five blocks, or where
      more than 1 % of the draws leave the score undefined (fewer than about five blocks have what it needs);
      "undefined" where the score itself is; "reference" for the reference. With too few cases the bounds are NaN.

    Errors: ValueError, methods of different labels or blocks, an unknown reference or name.
    """
    _check_request(statistics, reference)
    first = next(iter(statistics.values()))
    whole = {method: score(sum_blocks(s)) for method, s in statistics.items()}
    scored = next(iter(whole.values()))
    names = [str(n) for n, v in scored.data_vars.items() if v.dtype.kind == "f"] if names is None else list(names)
    for name in names:
        if name not in scored:
            raise ValueError(f"{name!r} is not among the scores {', '.join(map(str, scored.data_vars))}")
    blocks = first.sizes["block"]
    enough = blocks >= FEWEST_BLOCKS
    weights = draw_blocks(blocks, draws.resamples if enough else 1, draws.seed)
    drawn = {method: _score_draws(s, score, names, weights) for method, s in statistics.items()}
    shares = widen_level(draws.level, blocks) if enough else (0.0, 1.0)

    def bound(values: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        low, high = zip(*(_bound(of_method, shares, enough) for of_method in values))
        return np.stack(low), np.stack(high)

    variables: dict[str, Any] = {}
    for name in names:
        dims, attrs = ("method", *scored[name].dims), scored[name].attrs
        long_name = attrs.get("long_name", name)
        for side, values in zip(("low", "high"), bound([drawn[m][name] for m in statistics])):
            text = f"{side} end of the interval of {long_name}"
            variables[f"{name}_{side}"] = dims, values, {**attrs, "long_name": text}
        if reference is not None:
            low, high = bound([drawn[m][name] - drawn[reference][name] for m in statistics])
            difference = np.stack([whole[m][name].values - whole[reference][name].values for m in statistics])
            told = _tell(difference, low, high)
            told[list(statistics).index(reference)] = "reference"
            what = f"difference to {reference} of {long_name}"
            for suffix, values in {"": difference, "_low": low, "_high": high}.items():
                text = f"{suffix[1:]} end of the interval of the {what}" if suffix else what
                variables[f"{name}_difference{suffix}"] = dims, values, {**attrs, "long_name": text}
            variables[f"{name}_verdict"] = dims, told.astype(str), {"long_name": f"is there a {what}"}
    method = xr.Variable("method", np.array(list(statistics)), {"long_name": "nowcast method"})
    coords = {n: c for n, c in scored.coords.items() if set(c.dims) <= {d for v in names for d in scored[v].dims}}
    attrs = {
        "interval": "block bootstrap, percentiles widened for few blocks (Hesterberg 2015)",
        "interval_level": draws.level,
        "interval_resamples": draws.resamples,
        "interval_seed": draws.seed,
        "interval_blocks": blocks,
    }
    return xr.Dataset(variables, coords, attrs).assign_coords(method=method)


def draw_blocks(blocks: int, resamples: int, seed: int) -> np.ndarray:
    """Return the number of times (resamples, blocks) that each block is in each draw; every row sums to `blocks`."""
    return np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), size=resamples)


def widen_level(level: float, blocks: int) -> tuple[float, float]:
    """Return the shares of draws below the two ends of an interval; it is wider than `level` for few blocks."""
    half = ndtr(np.sqrt(blocks / (blocks - 1)) * stdtrit(blocks - 1, (1 - level) / 2))
    return float(half), float(1 - half)


def _check_request(statistics: Mapping[str, xr.Dataset], reference: str | None) -> None:
    if not statistics:
        raise ValueError("no statistics to resample")
    (first_name, first), *others = statistics.items()
    if "block" not in first.dims:
        raise ValueError(
            f"the statistics of {first_name} have no dimension block but {', '.join(map(str, first.dims))}"
        )
    for name, other in others:
        check_same_labels(first, other, (first_name, name), free=MEMBER_DIMS)
    if reference is not None and reference not in statistics:
        raise ValueError(f"the reference {reference!r} is not among the methods {', '.join(statistics)}")


def _score_draws(
    statistics: xr.Dataset, score: Callable[[xr.Dataset], xr.Dataset], names: Sequence[str], weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return {score: (resample, ...) values} of the drawn sums, computed in chunks of draws."""
    # In float64 counts are exact up to 2^53.
    values = {name: v.astype(np.float64).transpose("block", ...) for name, v in statistics.data_vars.items()}
    size = sum(v[0].size for v in values.values())
    rows = max(1, CHUNK_VALUES // max(size, 1))
    coords = {name: c for name, c in statistics.coords.items() if "block" not in c.dims}
    found: dict[str, list] = {name: [] for name in names}
    for start in range(0, len(weights), rows):
        chunk = weights[start : start + rows].astype(np.float64)
        sums = {n: (("resample", *v.dims[1:]), np.tensordot(chunk, v.values, (1, 0))) for n, v in values.items()}
        scores = score(xr.Dataset(sums, coords, statistics.attrs))
        for name in names:
            found[name].append(scores[name].transpose("resample", ...).values)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _bound(draws: np.ndarray, shares: tuple[float, float], enough: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the two ends of the interval of draws (resample, ...); NaN where there are too few cases."""
    ends = np.full((2, *draws.shape[1:]), np.nan)
    defined = np.isfinite(draws)
    always = enough & defined.all(axis=0)
    mostly = enough & ~always & (np.mean(~defined, axis=0) <= UNDEFINED_ALLOWED)
    if always.any():
        ends[:, always] = np.quantile(draws[:, always], shares, axis=0)
    if mostly.any():  # many times slower
        ends[:, mostly] = np.nanquantile(np.where(defined, draws, np.nan)[:, mostly], shares, axis=0)
    return ends[0], ends[1]


def _tell(difference: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the verdict on each difference, as an array of texts."""
    told = np.where((low > 0) | (high < 0), "resolved", "not resolved").astype(object)
    told[np.isnan(low) | np.isnan(high)] = "too few cases"
    told[np.isnan(difference)] = "undefined"
    return told
