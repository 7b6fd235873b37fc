"""A forecaster: pure functions between frames in physical units.

The same scan does teacher forcing, (reverse) scheduled sampling and free running: at every step the input is the
observed frame where `use_truth` is true, else the network's previous prediction.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from predjax.cells.context import BatchKey
from predjax.kernels.execution import Execution
from predjax.models.catalogue import load
from predjax.models.config import ModelConfig
from predjax.models.inputs import Window
from predjax.models.losses import choose_error, global_mean
from predjax.models.patches import from_patches, patch_grid
from predjax.models.sampling import forecast_mask
from predjax.models.shares import WHOLE, Share
from predjax.models.stacks import check_options
from predjax.models.unroll import Unrolled, make_unroll

MEMBERS = 2**31 - 2  # folded into a key, which so differs from the keys of steps and samples, numbered from 0


class Forecaster(NamedTuple):
    """The functions of a model, for B samples of T frames H x W with C channels; NaN = no coverage.

    init(rng, frames (B,T,H,W,C), forcings=None) -> params
    rollout(params, rng, frames (B,T,H,W,C), use_truth (B,T-1) bool or None, forcings=None) -> (B,T-1,H,W,C)
      Prediction t is of frame t + 1; it is NaN where the last true frame that went in is NaN. Without use_truth every
      input is true, and a model that is linear in time computes all steps at once.
    loss(params, rng, frames, use_truth, forcings=None, share=WHOLE) -> (scalar, metrics)
      The mean squared error (or `config.loss`) of the T - 1 scaled predictions over all pixels with coverage, plus the
      stack's penalty. Of a `Share` of a batch it returns the share, and the shares add up to the loss of the whole
      batch. The loss "crps" draws `config.loss_members` members; without rng one, whose score is its error.
    predict(params, rng, observed (B,T_in,H,W,C), num_steps, forcings=None) -> (B,num_steps,H,W,C)
      With rng a random forecast where `config.draws`, else the forecast without noise.

    Forcings are `(B, T, A)` or `(B, T, H, W, A)`; forcings at t are input with frame t. `config` is the `ModelConfig`.

    In a sequence task no frame goes in: prediction t of T follows from the forcings up to t. There use_truth is None,
    and no frame is observed (T_in = 0).
    """

    config: ModelConfig
    init: Callable
    rollout: Callable
    loss: Callable
    predict: Callable


def make_forecaster(
    config: ModelConfig, execution: Execution | None = None, error: Callable | None = None
) -> Forecaster:
    """Make the forecaster of a configuration, with the given `error` or else the error that the configuration names.

    Errors: ValueError for options that its cells do not have; its functions raise one for frames that do not fit.
    """
    check_options(config)
    if config.spec.forecaster:
        return load(config.spec.forecaster)(config)
    unroll = make_unroll(config, execution or Execution())
    name, error = ("own", error) if error else (config.loss, choose_error(config))
    drawn = name == "crps"

    def init(rng: jax.Array, frames: Any, forcings: Any = None) -> dict:
        _check_frames(config, frames, forcings)
        shape = (1, 2, *frames.shape[2:])
        if forcings is not None:
            forcings = jnp.zeros((1, 2, *forcings.shape[2:]))

        def init(rng: jax.Array, frames: jax.Array, use_truth: jax.Array, forcings: Any) -> dict:
            return unroll.init(rng, Window(frames, use_truth, forcings, 0, config.input_length))

        return jax.jit(init)(rng, jnp.zeros(shape), jnp.ones((1, 1), bool), forcings)

    def unroll_window(
        params: dict, key: BatchKey | None, frames: Any, use_truth: Any, forcings: Any, known: int = 0
    ) -> tuple[jax.Array, Unrolled]:
        num_observed = known or config.input_length
        if use_truth is None and not config.sequence:
            known = frames.shape[1] - 1
            use_truth = jnp.ones((len(frames), known), bool)
        scaled = scale_frames(config, params, frames, forcings)
        truth = None if use_truth is None else jnp.asarray(use_truth, bool)
        return scaled, unroll.apply(params, key, Window(scaled, truth, forcings, known, num_observed))

    def crop(patches: jax.Array, frames: jax.Array) -> jax.Array:
        return from_patches(patches, config.patch_size)[..., : frames.shape[2], : frames.shape[3], :]

    def rollout(params: dict, rng: Any, frames: Any, use_truth: Any, forcings: Any = None) -> jax.Array:
        return forecast(params, rng, frames, use_truth, forcings)

    def forecast(params: dict, rng: Any, frames: Any, use_truth: Any, forcings: Any, known: int = 0) -> jax.Array:
        key = None if rng is None else BatchKey(rng)
        scaled, out = unroll_window(params, key, frames, use_truth, forcings, known)
        predicted = config.scaling.unscale(crop(out.patches, scaled))
        return jnp.where(crop(out.covered, scaled), predicted, jnp.nan)

    def loss(
        params: dict, rng: Any, frames: Any, use_truth: Any, forcings: Any = None, share: Share = WHOLE
    ) -> tuple[jax.Array, dict]:
        offset = share.find_first(len(frames))

        def run(rng: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
            key = None if rng is None else BatchKey(rng, offset)
            scaled, out = unroll_window(params, key, frames, use_truth, forcings)
            return scaled, crop(out.patches, scaled), out.penalty

        if drawn:
            count = 1 if rng is None else config.loss_members
            keys = None if rng is None else jax.random.split(jax.random.fold_in(rng, MEMBERS), count)
            scaled, predicted, penalty = jax.vmap(run, out_axes=(None, 0, 0), axis_size=count)(keys)
            penalty = penalty.mean()
        else:
            scaled, predicted, penalty = run(rng)
        first = 0 if config.sequence else 1
        total, count = error(predicted, scaled[:, first:])
        if share.whole is not None:  # the count of the whole batch: its total is not computed
            whole = config.scaling.scale(share.whole[:, first:])
            count = error(whole[None] if drawn else whole, whole)[1]
        mean = global_mean(total, count, share.axis_name)
        mean = mean.sum() if drawn else mean
        penalty /= share.count
        return mean + penalty, {name: mean, "penalty": penalty}

    def predict(params: dict, rng: Any, observed: Any, num_steps: int, forcings: Any = None) -> jax.Array:
        observed = jnp.asarray(observed, float)
        batch, length = observed.shape[:2]
        future = jnp.full((batch, num_steps, *observed.shape[2:]), jnp.nan, observed.dtype)
        frames = jnp.concatenate([observed, future], 1)
        use_truth = None if config.sequence else forecast_mask(batch, length, length + num_steps)
        if config.sequence and length:
            raise ValueError(f"a sequence task observes no frame, {length} are given")
        if forcings is not None:
            needed = length + num_steps - (not config.sequence)
            if forcings.shape[1] < needed:
                raise ValueError(
                    f"forcings cover {forcings.shape[1]} steps, {length} observed and {num_steps} predicted "
                    f"frames need {needed}"
                )
            forcings = forcings[:, : length + num_steps]
        predicted = forecast(params, rng, frames, use_truth, forcings, known=length)
        return predicted if config.sequence else predicted[:, length - 1 :]

    return Forecaster(config, init, rollout, loss, predict)


def scale_frames(config: ModelConfig, params: dict, frames: Any, forcings: Any) -> jax.Array:
    """Return scaled frames `(B, T, H, W, C)`. Errors: ValueError for frames or forcings that do not fit the model."""
    frames = jnp.asarray(frames, float)
    _check_frames(config, frames, forcings)
    _check_grid(config, params, frames.shape[2:4])
    return config.scaling.scale(frames)


def _check_frames(config: ModelConfig, frames: Any, forcings: Any) -> None:
    height, width, channels = frames.shape[2:]
    if channels != config.img_channel:
        raise ValueError(f"frames have {channels} channels, img_channel is {config.img_channel}")
    if config.img_width and config.layer_norm and width != config.img_width:
        raise ValueError(f"frames are {width} pixels wide, img_width is {config.img_width}")
    if config.scales and min(height, width) == 1:
        raise ValueError(f"scales are those of maps, frames of {height}x{width} have none: scales must be 0")
    if config.patch_size > min(height, width):
        raise ValueError(f"patch_size {config.patch_size} is larger than the frame {height}x{width}")
    given = 0 if forcings is None else forcings.shape[-1]
    if given != config.num_action_ch:
        raise ValueError(f"{given} forcing channels are given, num_action_ch is {config.num_action_ch}")


def _check_grid(config: ModelConfig, params: dict, frame_shape: tuple[int, ...]) -> None:
    """Raise a ValueError where the frames do not have the grid that layer norm or peepholes were made for."""
    tied = {
        name: leaf.shape[-3:-1]
        for group in params.values()
        for name, leaf in group.items()
        if (name, leaf.ndim) in (("scale", 3), ("peepholes", 4))
    }
    if not tied:
        return
    rows, columns = patch_grid(frame_shape[0], frame_shape[1], config.patch_size)
    if config.conv_on_input:
        rows, columns = -(-rows // 4), -(-columns // 4)
    name, grid = next(iter(tied.items()))
    if grid != (rows, columns):
        pixels = config.patch_size * (4 if config.conv_on_input else 1)
        what = "layer_norm 1 ties" if name == "scale" else "peepholes tie"
        raise ValueError(
            f"{what} this model to frames of {grid[0] * pixels}x{grid[1] * pixels} pixels, these are "
            f"{frame_shape[0]}x{frame_shape[1]}"
        )
