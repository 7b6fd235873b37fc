"""Inference, forecast and training objective of TiDHy: r and r2 of each step by proximal gradient descent."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from predjax.cells.descent import DescentRules, descend
from predjax.cells.tidhy import Networks, Regularisers, decode, magnitude, measure_error, mix, mix_dynamics, regularise
from predjax.cells.tidhy_config import TiDHyConfig

FIRST_PENALTY = 0.01  # of |r2|^2 and |w|^2 in the first step, as in the authors' code
SMALL_NORM = 1e-8


class Codes(NamedTuple):
    """The latent state r `(..., R)` and the slow latent r2 `(..., Q)`."""

    r: jax.Array
    r2: jax.Array


class Inferred(NamedTuple):
    """Inferred codes `(B, ...)` or `(B, T, ...)`, the numbers of updates, and whether the tolerance ended these."""

    codes: Codes
    iterations: jax.Array
    converged: jax.Array


def soften(x: jax.Array, threshold: float) -> jax.Array:
    """Return sign(x) max(|x| - threshold, 0), the proximal map of threshold |x|_1."""
    return jnp.sign(x) * jax.nn.relu(jnp.abs(x) - threshold)


def saturate(x: jax.Array, kind: str, scale: float = 1.0) -> jax.Array:
    """Return x in bounds: (0, 1) for "sigmoid", +-1 or +-scale for the others. Near 0 only the sigmoids change x."""
    bend: dict[str, Callable[[], jax.Array]] = {
        "none": lambda: x,
        "sigmoid": lambda: jax.nn.sigmoid(x),
        "shifted_sigmoid": lambda: 2 * jax.nn.sigmoid(x) - 1,
        "tanh": lambda: jnp.tanh(x),
        "scaled_tanh": lambda: scale * jnp.tanh(x / scale),
        "softsign": lambda: x / (1 + jnp.abs(x)),
        "scaled_softsign": lambda: scale * x / (scale + jnp.abs(x)),
        "clip": lambda: jnp.clip(x, -scale, scale),
    }
    return bend[kind]()


def constrain(codes: Codes, config: TiDHyConfig) -> Codes:
    """Apply the soft threshold, then the saturation, as after every update."""
    r, r2 = codes
    r = soften(r, config.threshold_r) if config.threshold_r else r
    r2 = soften(r2, config.threshold_r2) if config.threshold_r2 else r2
    return Codes(saturate(r, config.saturate_r, config.scale_r), saturate(r2, config.saturate_r2, config.scale_r2))


def first_objective(networks: Networks, config: TiDHyConfig, x: jax.Array, codes: Codes) -> jax.Array:
    """Return the objective of inference at the first step of one sample, where r2 has no data to fit.

    s(decode(r), x) + 0.01 |r2|^2 + 0.01 |w|^2
    """
    w = mix(networks, codes.r2, config.weights)
    penalty = jnp.square(codes.r2).sum() + jnp.square(w).sum()
    return measure_error(decode(networks, codes.r, config.loss), x, config.loss) + FIRST_PENALTY * penalty


def step_objective(networks: Networks, config: TiDHyConfig, x: jax.Array, before: Codes, codes: Codes) -> jax.Array:
    """Return the objective of inference for r and r2 of one sample, given r and r2 of the step before.

    s(decode(r), x) + temp_weight |r - V(r2) r_before|^2 + l1_w |w|_1 + l1_r |r|_1 + l1_r2 |r2|_1
    + smoothness |r2 - r2_before|^2
    """
    w = mix(networks, codes.r2, config.weights)
    change = codes.r - mix_dynamics(networks, w) @ before.r
    value = measure_error(decode(networks, codes.r, config.loss), x, config.loss)
    value += config.temp_weight * jnp.square(change).sum() + config.l1_w * magnitude(w).sum()
    value += config.l1_r * magnitude(codes.r).sum() + config.l1_r2 * magnitude(codes.r2).sum()
    return value + config.smoothness * jnp.square(codes.r2 - before.r2).sum()


def minimise(
    objective: Callable[[Codes], jax.Array], start: Codes, config: TiDHyConfig, clip: float = float("inf")
) -> Inferred:
    """Minimise `objective(codes)` of one sample by proximal gradient descent with Nesterov's momentum.

    m' = g + a m, v' = constrain(v - lr (g + a m')) for v = r and r2 together. g are the gradients at the same point,
    components clipped to +-`clip`; a is `momentum`; m starts at 0 and gets no threshold. The descent ends at
    `max_iter`, or when |v' - v| < tol |v| for both (|v' - v| < tol for |v| < 1e-8), and keeps the last v'.

    This is the authors' method. Where the dynamics are steep (the curvature in r2 grows as |r_before|^2) its steps may
    increase the objective without end. With `config.backtracking` they never increase it: `cells.descent`.
    """
    rates = Codes(config.lr_r, config.lr_r2)  # type: ignore[arg-type]  # a number in the place of each code

    def settled(new: jax.Array, old: jax.Array) -> jax.Array:
        norm = jnp.sqrt(jnp.square(old).sum())
        change = jnp.sqrt(jnp.square(new - old).sum())
        return change < config.tol * jnp.where(norm < SMALL_NORM, 1.0, norm)

    def both_settled(new: Codes, old: Codes) -> jax.Array:
        return settled(new.r, old.r) & settled(new.r2, old.r2)

    def update(carry: tuple[Codes, Codes, jax.Array, jax.Array]) -> tuple[Codes, Codes, jax.Array, jax.Array]:
        old, momenta, iterations, _ = carry
        gradient = jax.tree.map(lambda g: jnp.clip(g, -clip, clip), jax.grad(objective)(old))
        momenta = jax.tree.map(lambda g, m: g + config.momentum * m, gradient, momenta)
        new = jax.tree.map(lambda v, g, m, lr: v - lr * (g + config.momentum * m), old, gradient, momenta, rates)
        new = constrain(new, config)
        return new, momenta, iterations + 1, both_settled(new, old)

    def unfinished(carry: tuple[Codes, Codes, jax.Array, jax.Array]) -> jax.Array:
        *_, iterations, converged = carry
        return ~converged & (iterations < config.max_iter)

    if config.backtracking:
        project = functools.partial(constrain, config=config)
        rules = DescentRules(config.momentum, config.max_iter, both_settled, project, clip)
        found = descend(objective, start, rates, rules)
        return Inferred(found.point, found.iterations, found.converged)

    zeros = jax.tree.map(jnp.zeros_like, start)
    codes, _, iterations, converged = jax.lax.while_loop(
        unfinished, update, (start, zeros, jnp.array(0), jnp.array(False))
    )
    return Inferred(codes, iterations, converged)


def infer_first(networks: Networks, config: TiDHyConfig, x: jax.Array, r2: jax.Array) -> Inferred:
    """Infer r and r2 of the first step of sequences, x `(B, D)`, starting at r = 0 and the given r2 `(B, Q)`.

    The authors draw r2 from N(0, 0.01^2): `TiDHy.draw_first`. Gradients do not pass through inference.
    """
    networks, x, r2 = jax.lax.stop_gradient((networks, x, r2))

    def infer(x: jax.Array, r2: jax.Array) -> Inferred:
        start = Codes(jnp.zeros(config.r_dim, r2.dtype), r2)
        return minimise(lambda codes: first_objective(networks, config, x, codes), start, config, config.first_clip)

    return jax.vmap(infer)(x, r2)


def infer_step(networks: Networks, config: TiDHyConfig, x: jax.Array, before: Codes) -> Inferred:
    """Infer r and r2 from x `(B, D)`, given the codes `before` of the step before, starting at r = 0 and their r2.

    Each sample takes as many updates as it needs. Gradients do not pass through inference.
    """
    networks, x, before = jax.lax.stop_gradient((networks, x, before))

    def infer(x: jax.Array, before: Codes) -> Inferred:
        start = before._replace(r=jnp.zeros_like(before.r))
        return minimise(lambda codes: step_objective(networks, config, x, before, codes), start, config)

    return jax.vmap(infer)(x, before)


def infer_series(networks: Networks, config: TiDHyConfig, x: jax.Array, r2: jax.Array) -> Inferred:
    """Infer the codes `(B, T, ...)` of sequences x `(B, T, D)` step by step; r2 `(B, Q)` is for `infer_first`."""
    first = infer_first(networks, config, x[:, 0], r2)

    def step(codes: Codes, x: jax.Array) -> tuple[Codes, Inferred]:
        inferred = infer_step(networks, config, x, codes)
        return inferred.codes, inferred

    _, rest = jax.lax.scan(step, first.codes, jnp.moveaxis(x[:, 1:], 1, 0))
    return jax.tree.map(lambda a, b: jnp.concatenate([a[:, None], jnp.moveaxis(b, 0, 1)], 1), first, rest)


def bound_radius(matrices: jax.Array, radius: float) -> jax.Array:
    """Scale each matrix of `(..., R, R)` down to the spectral radius `radius` if its own is larger.

    The spectral radius is estimated as |M^n|^(1/n) with n = 1024, by repeated squaring (Gelfand 1941): never too small,
    and less than 1 % too large if the eigenvectors have a condition number of 1e4. With `radius` 1 the powers of a
    matrix are bounded: no forecast grows without end while r2 stays the same.
    """
    if radius == float("inf"):
        return matrices

    def norm(powers: jax.Array) -> jax.Array:
        return jnp.maximum(jnp.sqrt(jnp.square(powers).sum((-2, -1), keepdims=True)), jnp.finfo(powers.dtype).tiny)

    powers, log = matrices / norm(matrices), jnp.log(norm(matrices))
    for _ in range(10):
        powers = powers @ powers
        size = norm(powers)
        powers, log = powers / size, 2 * log + jnp.log(size)
    return matrices * jnp.minimum(radius / jnp.exp(log / 1024), 1.0)


def hold_dynamics(networks: Networks, config: TiDHyConfig, r2: jax.Array) -> jax.Array:
    """Return V(r2) `(..., R, R)` for forecasts, with a spectral radius of at most `config.radius`."""
    return bound_radius(mix_dynamics(networks, mix(networks, r2, config.weights)), config.radius)


def forecast(networks: Networks, config: TiDHyConfig, codes: Codes, num_steps: int) -> jax.Array:
    """Return the forecast x^ `(B, num_steps, D)` of the steps after `codes` `(B, ...)`.

    The latent state follows r' = V r with the V of `hold_dynamics`.
    """
    dynamics = hold_dynamics(networks, config, codes.r2)

    def step(r: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        r = jnp.einsum("bij,bj->bi", dynamics, r)
        return r, decode(networks, r, config.loss)

    _, x = jax.lax.scan(step, codes.r, length=num_steps)
    return jnp.moveaxis(x, 0, 1)


class TrainingTerms(NamedTuple):
    """The terms of the training loss before they are weighted: `(B,)` for each data term, summed over steps."""

    inferred: jax.Array
    predicted: jax.Array
    temporal: jax.Array
    regularisers: Regularisers


def training_loss(
    networks: Networks, config: TiDHyConfig, x: jax.Array, codes: Codes
) -> tuple[jax.Array, TrainingTerms]:
    """Return the training loss of sequences x `(B, T, D)` and their inferred codes `(B, T, ...)`, and its terms.

    mean over samples of [sum_t s(decode(r_t), x_t) + sum_{t>0} s(decode(r^_t), x_t) + temp_weight |r_t - r^_t|^2]
    + the weighted `Regularisers`, with r^_t = V(r2_t) r_{t-1} and the r2_t inferred from x_t. r and r2 are constants:
    no gradient passes through them.
    """
    r, r2 = jax.lax.stop_gradient(codes)
    w = mix(networks, r2[:, 1:], config.weights)
    predicted = jnp.einsum("btij,btj->bti", mix_dynamics(networks, w), r[:, :-1])
    terms = TrainingTerms(
        measure_error(decode(networks, r, config.loss), x, config.loss).sum(1),
        measure_error(decode(networks, predicted, config.loss), x[:, 1:], config.loss).sum(1),
        jnp.square(r[:, 1:] - predicted).sum((1, 2)),
        regularise(networks, w),
    )
    weights = (config.cos_eta, config.w_sparsity, config.decoder_orthogonality, config.w_continuity)
    loss = (terms.inferred + terms.predicted + config.temp_weight * terms.temporal).mean()
    return loss + sum(weight * term for weight, term in zip(weights, terms.regularisers) if weight), terms
