"""How sure a score is: intervals from a bootstrap over blocks of cases.

Blocks are drawn with replacement, as many as there are; the sums of the drawn blocks give one score, and the spread of
many such scores is the uncertainty. Methods are scored on the same draws, so that a difference of two is told from
zero although both vary a lot from event to event. Percentile intervals of few blocks are too narrow; the
correction of Hesterberg (2015), The American Statistician 69, 371-386, section 3.2, widens them.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr
from scipy.special import ndtr, stdtrit

from predjax.verification.case_blocks import sum_blocks
from predjax.verification.sums import check_same_labels

FEWEST_BLOCKS = 5
UNDEFINED_ALLOWED = 0.01  # the chance that a draw misses k blocks of many is exp(-k): so much is about five blocks
CHUNK_VALUES = 2**23  # resampled sums held at a time: 64 MiB
VERDICTS = ("resolved", "not resolved", "too few cases", "undefined", "reference")


def bootstrap(
    statistics: Mapping[str, xr.Dataset],
    score: Callable[[xr.Dataset], xr.Dataset],
    *,
    reference: str | None = None,
    names: Sequence[str] | None = None,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> xr.Dataset:
    """Intervals of the scores of each method, and of their differences to a reference, by block bootstrap.

    Args:
      statistics: by method, additive statistics with the dimension `block` (`case_blocks.stack_blocks`), of the same
        blocks of cases.
      score: from summed statistics to scores, as `scores.skill`. It is called on many sums at once, along one more
        dimension `resample`.
      reference: a method; adds the paired differences to it.
      names: the scores wanted; None: all that are floating point.
      resamples, level, seed: how many draws, the confidence level, and what the draws depend on.

    Returns:
      For each score `s`, over (method, ...): `s_low`, `s_high`; with a reference also `s_difference` (method -
      reference), `s_difference_low`, `s_difference_high` and `s_verdict`, one of VERDICTS: "resolved" where the
      interval does not hold zero; "not resolved" where it does; "too few cases" with fewer than five blocks, or where
      more than 1 % of the draws leave the score undefined (fewer than about five blocks have what it needs);
      "undefined" where the score itself is; "reference" for the reference. With too few cases the bounds are NaN.

    Raises:
      ValueError: methods of different labels or blocks, an unknown reference or name, bad numbers.
    """
    _check_request(statistics, reference, resamples, level)
    first = next(iter(statistics.values()))
    whole = {method: score(sum_blocks(s)) for method, s in statistics.items()}
    scored = next(iter(whole.values()))
    names = [str(n) for n, v in scored.data_vars.items() if v.dtype.kind == "f"] if names is None else list(names)
    for name in names:
        if name not in scored:
            raise ValueError(f"{name!r} is not among the scores {', '.join(map(str, scored.data_vars))}")
    blocks = first.sizes["block"]
    enough = blocks >= FEWEST_BLOCKS
    weights = draw_blocks(blocks, resamples if enough else 1, seed)
    draws = {method: _score_draws(s, score, names, weights) for method, s in statistics.items()}
    shares = widen_level(level, blocks) if enough else (0.0, 1.0)

    variables = {}
    for name in names:
        dims, attrs = scored[name].dims, scored[name].attrs
        bounds = [_bound(draws[m][name], shares, enough) for m in statistics]
        for side, values in zip(("low", "high"), zip(*bounds)):
            what = f"{side} end of the interval of {attrs.get('long_name', name)}"
            variables[f"{name}_{side}"] = ("method", *dims), np.stack(values), {**attrs, "long_name": what}
        if reference is not None:
            pairs = ((draws[m][name] - draws[reference][name]) for m in statistics)
            found = [_bound(pair, shares, enough) for pair in pairs]
            difference = np.stack([whole[m][name].values - whole[reference][name].values for m in statistics])
            low, high = (np.stack(values) for values in zip(*found))
            told = _tell(difference, low, high)
            told[list(statistics).index(reference)] = "reference"
            what = f"difference to {reference} of {attrs.get('long_name', name)}"
            parts = {"": difference, "_low": low, "_high": high}
            for suffix, values in parts.items():
                text = f"{suffix[1:]} end of the interval of the {what}" if suffix else what
                variables[f"{name}_difference{suffix}"] = ("method", *dims), values, {**attrs, "long_name": text}
            variables[f"{name}_verdict"] = ("method", *dims), told.astype(str), {"long_name": f"is there a {what}"}
    method = xr.Variable("method", np.array(list(statistics)), {"long_name": "nowcast method"})
    coords = {n: c for n, c in scored.coords.items() if set(c.dims) <= {d for v in names for d in scored[v].dims}}
    attrs = {
        "interval": "block bootstrap, percentiles widened for few blocks (Hesterberg 2015)",
        "interval_level": level,
        "interval_resamples": resamples,
        "interval_seed": seed,
        "interval_blocks": blocks,
    }
    return xr.Dataset(variables, coords, attrs).assign_coords(method=method)


def draw_blocks(blocks: int, resamples: int, seed: int) -> np.ndarray:
    """(resamples, blocks): how often each block is in each draw; every row sums to `blocks`."""
    return np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), size=resamples)


def widen_level(level: float, blocks: int) -> tuple[float, float]:
    """The shares of the draws below the two ends of an interval: wider than (1 - level) / 2 for few blocks."""
    half = ndtr(np.sqrt(blocks / (blocks - 1)) * stdtrit(blocks - 1, (1 - level) / 2))
    return float(half), float(1 - half)


def _check_request(statistics, reference, resamples, level):
    if not statistics:
        raise ValueError("no statistics to resample")
    (first_name, first), *others = statistics.items()
    if "block" not in first.dims:
        raise ValueError(
            f"the statistics of {first_name} have no dimension block but {', '.join(map(str, first.dims))}"
        )
    for name, other in others:
        check_same_labels(first, other, (first_name, name))
    if reference is not None and reference not in statistics:
        raise ValueError(f"the reference {reference!r} is not among the methods {', '.join(statistics)}")
    if resamples < 1 or not 0 < level < 1:
        raise ValueError(f"resamples must be positive and level between 0 and 1, not {resamples} and {level}")


def _score_draws(statistics: xr.Dataset, score: Callable, names: Sequence[str], weights: np.ndarray) -> dict:
    """{score: (resample, ...) values} of the drawn sums, worked out in chunks of draws."""
    # Counts stay whole numbers in float64, and exact up to 2^53.
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
    """The two ends for each score of draws (resample, ...); NaN where there are too few cases."""
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
    """The verdict on each difference, as an array of words."""
    told = np.where((low > 0) | (high < 0), "resolved", "not resolved").astype(object)
    told[np.isnan(low) | np.isnan(high)] = "too few cases"
    told[np.isnan(difference)] = "undefined"
    return told
