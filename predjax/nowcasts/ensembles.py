"""Ensembles of stochastic scales, with or without a network as their centre (see `models.stochastic_scales`).

The draws of a member depend on the seed, the case and the number of the member alone, not on the division of cases and
members into batches, groups or devices. A case is identified by its newest frame: the CRC-32 of its float32 values
enters the key. So a case has the same members alone and in any batch.
"""

import dataclasses
import functools
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from predjax import parallel
from predjax.models.stochastic_scales import Case, Scalars, draw, prepare
from predjax.motion.advection import trace
from predjax.motion.moving import to_moving
from predjax.motion.optical_flow import estimate_motion
from predjax.radar.windows.prefetch import prefetch
from predjax.unit_names import canonical_unit
from predjax.units import RAIN_UNITS, dbz_to_rain_rate, rain_rate_to_dbz

MEMBERS = 24
GROUP_PIXELS = 2**21  # of all lead times of the members that a device draws at once


@dataclasses.dataclass(frozen=True)
class EnsembleNowcast:
    """A nowcast of E members: (observed (B,T_in,H,W,1), num_steps, forcings=None) -> (B,E,num_steps,H,W,1).

    Frames are in the unit of the data; NaN where the air comes from outside the frame or its coverage. `groups` takes
    the same arguments and yields the members in groups, `(B,e,num_steps,H,W,1)` in their order, so that the needed
    memory does not grow with their number.
    """

    groups: Callable[..., Iterator[np.ndarray]]

    def __call__(self, observed: np.ndarray, num_steps: int, forcings: Any = None) -> np.ndarray:
        """Return all members at once. Errors: ValueError for frames that are no maps of one channel."""
        return np.concatenate(list(self.groups(observed, num_steps, forcings)), axis=1)


def make_ensemble_nowcast(
    units: str,
    members: int = MEMBERS,
    seed: int = 0,
    scalars: Scalars | None = None,
    centre: Callable[..., np.ndarray] | None = None,
) -> EnsembleNowcast:
    """Make the nowcast of an ensemble of stochastic scales.

    Args:
      units: "mm/h" or "dBZ" (with the relation of Marshall & Palmer between reflectivity and rain rate).
      members: the number of members, at least 1.
      seed: the seed of all draws; the module names what else they depend on.
      scalars: the numbers of the method; None: the packaged ones.
      centre: the nowcast around which members are drawn, from and to coordinates that move with the rain; None: the
        autoregression of each scale.

    Raises:
      ValueError: other units, or fewer members than 1.
    """
    unit = canonical_unit(units)
    if unit not in RAIN_UNITS:
        raise ValueError(f"stochastic_scales is for rain in {' or '.join(RAIN_UNITS)}, the frames are in {units!r}")
    if members < 1:
        raise ValueError(f"members must be at least 1, not {members}")
    scalars = scalars or Scalars()
    devices = parallel.choose_local()
    calls = parallel.count_calls(devices)

    def draw_members(arguments: tuple[Scalars, Case, jax.Array], numbers: jax.Array, _: int) -> jax.Array:
        scalars, case, key = arguments
        return jax.vmap(lambda number: draw(scalars, case, jax.random.fold_in(key, number)))(numbers)

    drawn = parallel.map_samples(draw_members, devices)
    prepared = jax.jit(prepare)

    def groups(observed: np.ndarray, num_steps: int, forcings: Any = None) -> Iterator[np.ndarray]:
        observed = _check_frames(observed, num_steps)
        cases = _prepare_cases(functools.partial(prepared, scalars), observed, num_steps, unit, centre, forcings)
        least = [_find_least(frames[-1], unit) for frames in observed]
        keys = [make_key(seed, frames[-1]) for frames in observed]
        size = find_group(-(-members // calls), len(devices), num_steps * observed[0, 0].size)

        def draw_group(start: int) -> np.ndarray:
            # Numbers beyond the last member are a surplus that keeps the program the same.
            numbers = np.arange(start, start + size)
            parts = [drawn((scalars, case, key), numbers, 0) for case, key in zip(cases, keys)]
            kept = [part[: members - start, ..., None] for part in parts]
            return np.stack([_from_rate(part, lowest, unit) for part, lowest in zip(kept, least)])

        # One more than can be drawn at once, so that no thread waits for the taker of the members.
        return prefetch(draw_group, range(0, members, size), depth=calls + 1, threads=calls)

    return EnsembleNowcast(groups)


def _check_frames(observed: np.ndarray, num_steps: int) -> np.ndarray:
    observed = np.asarray(observed, np.float32)
    if observed.ndim != 5 or 0 in observed.shape:
        raise ValueError(f"observed must be (B, T_in, H, W, C) with none of them 0, not {observed.shape}")
    if min(observed.shape[2:4]) == 1:
        height, width = observed.shape[2:4]
        raise ValueError(f"stochastic_scales needs maps: frames of {height}x{width} have no scales")
    if observed.shape[-1] != 1:
        raise ValueError(f"stochastic_scales is for frames of one channel, these have {observed.shape[-1]}")
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, not {num_steps}")
    return observed


def _prepare_cases(
    prepared: Callable[..., Case],
    observed: np.ndarray,
    num_steps: int,
    unit: str,
    centre: Callable[..., np.ndarray] | None,
    forcings: Any,
) -> list[Case]:
    """Return the parts that all members of each case share."""
    motions = estimate_motion(observed[..., 0], unit)
    moving = np.stack([to_moving(frames, u, len(frames) - 1) for frames, u in zip(observed, motions)])
    centres = [None] * len(observed) if centre is None else _to_rate(centre(moving, num_steps, forcings)[..., 0], unit)
    return [
        prepared(_to_rate(frames[..., 0], unit), np.stack(list(trace(-u, num_steps))), _find_mean(u), middle)
        for frames, u, middle in zip(moving, motions, centres)
    ]


def _find_mean(motion: np.ndarray) -> np.ndarray:
    """Return the mean motion (2,) with the mean speed of a motion (2, H, W)."""
    mean = motion.mean((1, 2))
    speed = np.hypot(*mean)
    return mean * (np.hypot(*motion).mean() / speed) if speed > 0 else mean


def find_group(members: int, devices: int, pixels: int) -> int:
    """Return the number of members that all devices draw at once, where a member has `pixels` over all lead times."""
    return max(1, min(-(-members // devices), GROUP_PIXELS // pixels)) * devices


def make_key(seed: int, newest: np.ndarray) -> jax.Array:
    """Return the random key of a case, made from its newest frame and the seed."""
    canonical = np.where(np.isnan(newest), np.float32(np.nan), newest)
    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(canonical.tobytes()))


def _find_least(newest: np.ndarray, unit: str) -> float:
    """Return the smallest value in the newest frame, which stands for no echo in dBZ; 0 for rain rates."""
    return float(np.nanmin(newest, initial=np.inf)) if unit == "dBZ" else 0.0


def _to_rate(frames: Any, unit: str) -> Any:
    return dbz_to_rain_rate(frames) if unit == "dBZ" else frames


def _from_rate(rates: np.ndarray, least: float, unit: str) -> np.ndarray:
    return np.maximum(rain_rate_to_dbz(rates), np.float32(least)) if unit == "dBZ" else rates
