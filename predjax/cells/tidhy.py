"""The networks of TiDHy (Abe & Brunton 2024): a hypernetwork mixes latent dynamics from a few matrices."""

from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.context import draw_samples
from predjax.cells.linear import DType, LinearMap, Shape
from predjax.cells.options import check_count
from predjax.cells.tidhy_config import TiDHyConfig

TINY = 1e-10
Params = dict[str, dict[str, jax.Array]]


class Affine(NamedTuple):
    """The affine map x w + b with w `(I, O)` and b `(O,)`."""

    w: jax.Array
    b: jax.Array


class Perceptron(NamedTuple):
    """The weights of `apply_perceptron`; scale and offset are `(H,)`."""

    first: Affine
    scale: jax.Array
    offset: jax.Array
    second: Affine
    third: Affine


class Networks(NamedTuple):
    """All parameters: the decoder, the hypernetwork, and the matrices V_k, one in each row of `(K, R^2)`, row-major."""

    decoder: Affine | Perceptron
    hypernetwork: Perceptron
    temporal: jax.Array


def apply_perceptron(weights: Perceptron, x: jax.Array) -> jax.Array:
    """Return A3(A2(elu(N(A1 x)))), where N is layer normalisation with epsilon 1e-6."""
    hidden = x @ weights.first.w + weights.first.b
    centred = hidden - hidden.mean(-1, keepdims=True)
    scale = jax.lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + 1e-6)
    hidden = jax.nn.elu(weights.scale * centred * scale + weights.offset)
    hidden = hidden @ weights.second.w + weights.second.b
    return hidden @ weights.third.w + weights.third.b


def decode(networks: Networks, r: jax.Array, loss: str = "mse") -> jax.Array:
    """Return x^ `(..., D)` of r `(..., R)`: linear or a perceptron, then a sigmoid for "bce", a softplus for "poisson".

    The authors' code has no softplus, and so takes logarithms of negative rates; for "bce" it is always linear in r.
    """
    decoder = networks.decoder
    x = apply_perceptron(decoder, r) if isinstance(decoder, Perceptron) else r @ decoder.w + decoder.b
    if loss == "mse":
        return x
    return jax.nn.softplus(x) if loss == "poisson" else jax.nn.sigmoid(x)


def mix(networks: Networks, r2: jax.Array, weights: str = "relu") -> jax.Array:
    """Return w `(..., K)` = f(perceptron(tanh(r2))) of r2 `(..., Q)`; f is "relu" or "softplus"; w is not normalised.

    With relu, the authors' f, all of w may be zero; then r2 has no gradient, and the dynamics are dead. While the first
    biases are 0, the layer normalisation makes w independent of the length of a small r2, and the gradient grows like
    1/|r2|: inference may go in circles.
    """
    link = {"relu": jax.nn.relu, "softplus": jax.nn.softplus}[weights]
    return link(apply_perceptron(networks.hypernetwork, jnp.tanh(r2)))


def mix_dynamics(networks: Networks, w: jax.Array) -> jax.Array:
    """Return V `(..., R, R)`, the sum over k of w_k V_k, for w `(..., K)`."""
    size = round(networks.temporal.shape[-1] ** 0.5)
    return (w @ networks.temporal).reshape(*w.shape[:-1], size, size)


def advance(networks: Networks, r: jax.Array, r2: jax.Array, weights: str = "relu") -> jax.Array:
    """Return r `(..., R)` one step later, V(r2) r, for r2 `(..., Q)`."""
    return jnp.einsum("...ij,...j->...i", mix_dynamics(networks, mix(networks, r2, weights)), r)


def magnitude(x: jax.Array) -> jax.Array:
    """Return |x| with the derivative 0 at 0: r starts at exactly 0 and should not be pushed away."""
    return x * jax.lax.stop_gradient(jnp.sign(x))


def measure_error(estimate: jax.Array, x: jax.Array, loss: str = "mse") -> jax.Array:
    """Return the loss of an estimate of x `(..., D)`, summed over features: `(...)`. Missing values (NaN) add 0."""
    known = jnp.isfinite(x)
    # Double where: a NaN that is only masked afterwards would still make the gradient NaN.
    x, estimate = jnp.where(known, x, 0.0), jnp.where(known, estimate, 0.5)
    if loss == "mse":
        error = jnp.square(estimate - x)
    elif loss == "poisson":
        error = estimate - x * jnp.log(estimate + TINY)
    else:
        error = -x * jnp.log(estimate + TINY) - (1 - x) * jnp.log(1 - estimate + TINY)
    return jnp.where(known, error, 0.0).sum(-1)


def row_cosines(matrices: jax.Array) -> jax.Array:
    """Return the cosines of rows i < j of matrices, `(..., n, m)` to `(..., n (n - 1) / 2)`; 0 for a row of zeros."""
    square = jnp.square(matrices).sum(-1, keepdims=True)
    rows = matrices * jax.lax.rsqrt(jnp.maximum(square, TINY**2))
    i, j = jnp.triu_indices(matrices.shape[-2], 1)
    return (rows[..., i, :] * rows[..., j, :]).sum(-1)


class Regularisers(NamedTuple):
    """The terms of the training loss that do not measure the data, without their weights."""

    cosines: jax.Array
    sparsity: jax.Array
    orthogonality: jax.Array
    continuity: jax.Array


def regularise(networks: Networks, w: jax.Array) -> Regularisers:
    """Return the regularisers of the parameters, and of w `(B, T, K)` at all steps but the first.

    cosines        (1/K) sum over k and i < j of |cos(row i, row j)| of V_k. As in the authors' code, this makes the
                   rows of each matrix orthogonal, not the V_k different from each other
    sparsity       mean over samples of the sum of |w| over steps and k
    orthogonality  sum over i < j of cos^2 between rows i and j of the linear decoder's kernel `(R, D)`, or of a
                   perceptron's first kernel: the latents should show different things
    continuity     mean over samples of the sum over steps of |w_t - w_{t-1}|^2
    """
    size = round(networks.temporal.shape[-1] ** 0.5)
    matrices = networks.temporal.reshape(-1, size, size)
    decoder = networks.decoder
    kernel = (decoder.first if isinstance(decoder, Perceptron) else decoder).w
    return Regularisers(
        magnitude(row_cosines(matrices)).sum() / len(matrices),
        magnitude(w).sum((1, 2)).mean(),
        jnp.square(row_cosines(kernel)).sum(),
        jnp.square(w[:, 1:] - w[:, :-1]).sum((1, 2)).mean(),
    )


def normalise(params: Params, name: str = "tidhy") -> Params:
    """Return Haiku parameters in which the module `name` has decoder rows and V_k of norm 1; for use after an update.

    A row of the linear decoder's kernel `(R, D)` belongs to a latent. r_i could grow while its row shrinks; unit rows
    fix the scale of r, on which penalties and thresholds depend. (The authors' flax code scales the columns, one for
    each output, which removes the scales of the outputs; their PyTorch code scales the latents.) V_k has the Frobenius
    norm 1: w alone says how strong each V_k is. A perceptron's decoder does not change.
    """

    def scale(rows: jax.Array) -> jax.Array:
        return rows * jax.lax.rsqrt(jnp.maximum(jnp.square(rows).sum(-1, keepdims=True), TINY**2))

    changed = {name: params[name] | {"temporal": scale(params[name]["temporal"])}}
    decoder = f"{name}/~/decoder"
    if decoder in params:
        changed[decoder] = params[decoder] | {"w": scale(params[decoder]["w"])}
    return params | changed


class TiDHy(hk.Module):
    """The networks of TiDHy: the decoder, r to x^; the hypernetwork, r2 to w; and the dynamics, r to V(r2) r.

    Abe & Brunton (2024), "TiDHy: timescale demixing via hypernetworks to learn simultaneous dynamics from mixed
    observations", doi:10.1101/2025.01.28.635316. The latent state r decodes to the observation x^ of D = `features`
    values. The slow latent r2 gives the weights w, which mix the matrices V_k to V, the dynamics of r. Inference
    (`cells.tidhy_inference`) takes `networks()`, the parameters as plain arrays, and so runs inside any loop and
    derivative of jax.

    Kernels start truncated normal with the variance 2 / (inputs + outputs). Biases start at 0, except in the last layer
    of the hypernetwork, where they start at 1. V_k starts at I / K plus 0.1 Q_k, where the Q_k, as vectors of R^2
    numbers, are orthonormal. So the first forecast is close to persistence, and no w starts at 0. (The authors have no
    I / K and no bias of 1.)
    """

    def __init__(self, features: int, config: TiDHyConfig, name: str = "tidhy") -> None:
        super().__init__(name=name)
        self.features, self.config = check_count("features", features), config
        hidden = config.hyper_dim
        sizes = {"hyper": (config.r2_dim, hidden, hidden, config.mix_dim)}
        sizes["decoder"] = (config.r_dim, hidden, hidden, features)
        self.maps = {}
        for part, (inputs, *outputs) in sizes.items():
            if part == "decoder" and not config.nonlinear_decoder:
                self.maps["decoder"] = (self._make_map(features, "decoder"), inputs)
                continue
            for layer, size in enumerate(outputs, 1):
                self.maps[f"{part}_{layer}"] = (self._make_map(size, f"{part}_{layer}"), inputs)
                inputs = size

    @staticmethod
    def _make_map(size: int, name: str) -> LinearMap:
        start = hk.initializers.VarianceScaling(1.0, "fan_avg", "truncated_normal")
        bias = hk.initializers.Constant(1.0 if name == "hyper_3" else 0.0)
        return LinearMap(size, with_bias=bias, w_init=start, name=name)

    def networks(self) -> Networks:
        """Return all parameters."""
        dtype, config = jnp.result_type(float), self.config

        def affine(name: str) -> Affine:
            linear, inputs = self.maps[name]
            return Affine(linear.kernel(inputs, dtype), linear.bias(inputs, dtype))

        def perceptron(part: str) -> Perceptron:
            shape = (config.hyper_dim,)
            scale = hk.get_parameter(f"{part}_scale", shape, dtype, init=jnp.ones)
            offset = hk.get_parameter(f"{part}_offset", shape, dtype, init=jnp.zeros)
            return Perceptron(affine(f"{part}_1"), scale, offset, affine(f"{part}_2"), affine(f"{part}_3"))

        shape = (config.mix_dim, config.r_dim**2)

        def start(shape: Shape, dtype: DType) -> jax.Array:
            apart = hk.initializers.Orthogonal(0.1)(shape, dtype)
            return apart + jnp.eye(config.r_dim, dtype=dtype).ravel() / config.mix_dim

        temporal = hk.get_parameter("temporal", shape, dtype, init=start)
        decoder = perceptron("decoder") if config.nonlinear_decoder else affine("decoder")
        return Networks(decoder, perceptron("hyper"), temporal)

    def decode(self, r: jax.Array) -> jax.Array:
        """Return x^ `(..., D)` of r `(..., R)`."""
        return decode(self.networks(), r, self.config.loss)

    def mix(self, r2: jax.Array) -> jax.Array:
        """Return w `(..., K)` of r2 `(..., Q)`."""
        return mix(self.networks(), r2, self.config.weights)

    def advance(self, r: jax.Array, r2: jax.Array) -> jax.Array:
        """Return V(r2) r."""
        return advance(self.networks(), r, r2, self.config.weights)

    def draw_first(self, batch_size: int) -> jax.Array:
        """Return r2 `(B, Q)` ~ N(0, 0.01^2), from which inference at the first step starts; 0 without a random key."""
        shape, dtype = (self.config.r2_dim,), jnp.result_type(float)
        drawn = draw_samples(lambda key: 0.01 * jax.random.normal(key, shape, dtype), batch_size)
        return jnp.zeros((batch_size, *shape), dtype) if drawn is None else drawn
