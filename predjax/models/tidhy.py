"""TiDHy as a forecaster: codes are inferred from the observed frames and evolve with the dynamics of the last step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.tidhy import Networks, TiDHy, advance, decode, mix, normalise
from predjax.cells.tidhy_config import TiDHyConfig
from predjax.cells.tidhy_inference import (
    Codes,
    forecast,
    hold_dynamics,
    infer_first,
    infer_series,
    infer_step,
    training_loss,
)
from predjax.models.config import ModelConfig
from predjax.models.forecaster import Forecaster
from predjax.models.shares import WHOLE, Share


class Latents(NamedTuple):
    """The latent states of a series, each `(B, T, ...)`.

    r, r2 and w are inferred; r_bar = V(r2_t) r_{t-1} is the prediction of r. x_hat and x_bar are the frames that r and
    r_bar decode to, in units of the frames. r_bar and x_bar are NaN at the first step.
    """

    r: jax.Array
    r2: jax.Array
    w: jax.Array
    r_bar: jax.Array
    x_hat: jax.Array
    x_bar: jax.Array


def configure_tidhy(config: ModelConfig) -> TiDHyConfig:
    """Return the options of TiDHy: R is `num_hidden`, the others are in `cell_options`. Errors: ValueError."""
    return TiDHyConfig(r_dim=config.num_hidden[0], **config.options)


class _Shared:
    """The scaling, options and networks that all functions of a TiDHy share."""

    def __init__(self, config: ModelConfig) -> None:
        self.scaling, self.options = config.scaling, configure_tidhy(config)
        make = hk.transform(lambda: TiDHy(config.img_channel, self.options).networks())
        self.transformed: hk.Transformed = hk.without_apply_rng(make)

    def networks(self, params: dict) -> Networks:
        return self.transformed.apply(params)

    def read(self, frames: Any) -> jax.Array:
        """Return scaled series `(B, T, D)`."""
        if frames.shape[2:4] != (1, 1):
            raise ValueError(f"tidhy is for series, the frames have {frames.shape[2]}x{frames.shape[3]} pixels")
        return self.scaling.scale(jnp.asarray(frames, float))[:, :, 0, 0]

    def start(self, x: jax.Array) -> jax.Array:
        """Return the first r2 `(B, R2)`."""
        draw = 0.01 * jax.random.normal(jax.random.key(0), (self.options.r2_dim,), x.dtype)
        return jnp.broadcast_to(draw, (len(x), self.options.r2_dim))

    def find_codes(self, params: dict, frames: Any) -> Codes:
        x = self.read(frames)
        return infer_series(self.networks(params), self.options, x, self.start(x)).codes


def make_tidhy(config: ModelConfig) -> Forecaster:
    """Make the forecaster of series `(B, T, 1, 1, D)`, whose loss is `training_loss` divided by steps and features.

    r2 starts at one draw of N(0, 0.01^2) for all series, so that the inferred states depend on the series alone (at 0
    the hypernetwork's layer norm has nothing to normalise).
    """
    shared, objectives = _Shared(config), make_objectives(config)
    options = shared.options

    def show(x: jax.Array) -> jax.Array:
        return config.scaling.unscale(x[:, :, None, None])

    def init(rng: jax.Array, frames: Any, forcings: Any = None) -> dict:
        shared.read(frames)
        return shared.transformed.init(rng)

    def rollout(params: dict, rng: Any, frames: Any, use_truth: Any, forcings: Any = None) -> jax.Array:
        networks, x = shared.networks(params), shared.read(frames)[:, :-1]
        truth = jnp.ones(x.shape[:2], bool) if use_truth is None else jnp.asarray(use_truth, bool)

        def roll(codes: Codes) -> Codes:
            return Codes(jnp.einsum("bij,bj->bi", hold_dynamics(networks, options, codes.r2), codes.r), codes.r2)

        def predict_next(codes: Codes) -> jax.Array:
            return decode(networks, roll(codes).r, options.loss)

        def step(codes: Codes, at: tuple[jax.Array, jax.Array]) -> tuple[Codes, jax.Array]:
            x, truth = at
            inferred = infer_step(networks, options, x, codes).codes
            codes = jax.tree.map(lambda a, b: jnp.where(truth[:, None], a, b), inferred, roll(codes))
            return codes, predict_next(codes)

        first = infer_first(networks, options, x[:, 0], shared.start(x)).codes
        later = x[:, 1:].swapaxes(0, 1), truth[:, 1:].swapaxes(0, 1)
        _, predicted = jax.lax.scan(step, first, later)
        return show(jnp.concatenate([predict_next(first)[:, None], predicted.swapaxes(0, 1)], 1))

    def loss(*arguments: Any, **named: Any) -> tuple[jax.Array, dict]:
        losses, (_, metrics) = objectives(*arguments, **named)
        return losses.sum(), metrics

    def predict(params: dict, rng: Any, observed: Any, num_steps: int, forcings: Any = None) -> jax.Array:
        codes = jax.tree.map(lambda a: a[:, -1], shared.find_codes(params, observed))
        return show(forecast(shared.networks(params), options, codes, num_steps))

    return Forecaster(config, init, rollout, loss, predict)


def make_inference(config: ModelConfig) -> Callable[..., Latents]:
    """Make the function that infers `Latents` of frames `(B, T, 1, 1, D)`: `(params, frames) -> Latents`."""
    shared = _Shared(config)

    def infer(params: dict, frames: Any) -> Latents:
        networks, (r, r2) = shared.networks(params), shared.find_codes(params, frames)
        r_bar = advance(networks, r[:, :-1], r2[:, 1:], shared.options.weights)
        r_bar = jnp.concatenate([jnp.full_like(r[:, :1], jnp.nan), r_bar], 1)
        x_hat, x_bar = (config.scaling.unscale(decode(networks, code, shared.options.loss)) for code in (r, r_bar))
        return Latents(r, r2, mix(networks, r2, shared.options.weights), r_bar, x_hat, x_bar)

    return infer


def make_objectives(config: ModelConfig) -> Callable:
    """Make the function of the three losses: the errors of r, the errors of its predictions, and all other terms.

    It takes the arguments of `Forecaster.loss`; see `abilities.make_objectives`.
    """
    shared = _Shared(config)

    def objectives(
        params: dict, rng: Any, frames: Any, use_truth: Any, forcings: Any = None, share: Share = WHOLE
    ) -> tuple[jax.Array, tuple[jax.Array, dict]]:
        networks, x = shared.networks(params), shared.read(frames)
        codes = infer_series(networks, shared.options, x, shared.start(x)).codes
        value, terms = training_loss(networks, shared.options, x, codes)
        size = x.shape[1] * x.shape[2] * share.count
        inferred, predicted = terms.inferred.mean() / size, terms.predicted.mean() / size
        losses = jnp.stack([inferred, predicted, value / size - inferred - predicted])
        temporal = shared.options.temp_weight * terms.temporal.mean() / size
        return losses, (losses, {"mse": predicted, "penalty": losses[2] - temporal})

    return objectives


def make_constraint(config: ModelConfig) -> Callable[[dict], dict]:
    """Make the function of parameters that normalises the dynamics where the options ask for it."""
    return normalise if configure_tidhy(config).normalise else lambda params: params
