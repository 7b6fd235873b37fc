"""TiDHy (Abe & Brunton 2024): latent dynamics that a hypernetwork mixes from a few matrices. The networks."""

from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.context import draw_samples
from predjax.cells.linear import LinearMap
from predjax.cells.options import check_count
from predjax.cells.tidhy_config import TiDHyConfig

TINY = 1e-10


class Affine(NamedTuple):
    """x w + b: w `(I, O)`, b `(O,)`."""

    w: jax.Array
    b: jax.Array


class Perceptron(NamedTuple):
    """The weights of `apply_perceptron`; scale and offset `(H,)`."""

    first: Affine
    scale: jax.Array
    offset: jax.Array
    second: Affine
    third: Affine


class Networks(NamedTuple):
    """All parameters: the decoder, the hypernetwork, and the matrices V_k, row-major in the rows of `(K, R^2)`."""

    decoder: Affine | Perceptron
    hypernetwork: Perceptron
    temporal: jax.Array


def apply_perceptron(weights: Perceptron, x):
    """A3(A2(elu(N(A1 x)))) with the layer normalisation N (epsilon 1e-6); nothing between A2 and A3."""
    hidden = x @ weights.first.w + weights.first.b
    centred = hidden - hidden.mean(-1, keepdims=True)
    scale = jax.lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + 1e-6)
    hidden = jax.nn.elu(weights.scale * centred * scale + weights.offset)
    hidden = hidden @ weights.second.w + weights.second.b
    return hidden @ weights.third.w + weights.third.b


def decode(networks: Networks, r, loss="mse"):
    """x^ `(..., D)` of r `(..., R)`: linear, or a perceptron; "bce" puts a sigmoid on it, "poisson" a softplus.

    The authors' code has no softplus, and so takes logarithms of negative rates; its "bce" always is linear in r.
    """
    decoder = networks.decoder
    x = apply_perceptron(decoder, r) if isinstance(decoder, Perceptron) else r @ decoder.w + decoder.b
    link = {"mse": lambda x: x, "poisson": jax.nn.softplus, "bce": jax.nn.sigmoid}
    return link[loss](x)


def mix(networks: Networks, r2, weights="relu"):
    """w `(..., K)` = f(perceptron(tanh(r2))) of r2 `(..., Q)`, not normalised; f is "relu" or "softplus".

    With relu, which the authors have, all of w may be zero: then the dynamics are dead, for r2 has no gradient there.
    While the first biases are 0 the normalisation makes w blind to the length of a small r2, and its gradient grows
    like 1/|r2|: inference may circle, not settle.
    """
    link = {"relu": jax.nn.relu, "softplus": jax.nn.softplus}[weights]
    return link(apply_perceptron(networks.hypernetwork, jnp.tanh(r2)))


def mix_dynamics(networks: Networks, w):
    """V `(..., R, R)` = sum of w_k V_k over k, of w `(..., K)`."""
    size = round(networks.temporal.shape[-1] ** 0.5)
    return (w @ networks.temporal).reshape(*w.shape[:-1], size, size)


def advance(networks: Networks, r, r2, weights="relu"):
    """V(r2) r `(..., R)`: what r `(..., R)` is one step later while r2 `(..., Q)` holds."""
    return jnp.einsum("...ij,...j->...i", mix_dynamics(networks, mix(networks, r2, weights)), r)


def magnitude(x):
    """|x|, whose derivative at 0 is 0, whatever the library's is: r starts at exactly 0 and should not be pushed."""
    return x * jax.lax.stop_gradient(jnp.sign(x))


def measure_error(estimate, x, loss="mse"):
    """The loss of x `(..., D)` given its estimate, summed over features, `(...)`; what is missing (NaN) has none."""
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


def row_cosines(matrices):
    """The cosines of the angles between rows i < j, `(..., n, m)` to `(..., n (n - 1) / 2)`; 0 for a row of zeros."""
    square = jnp.square(matrices).sum(-1, keepdims=True)
    rows = matrices * jax.lax.rsqrt(jnp.maximum(square, TINY**2))
    i, j = jnp.triu_indices(matrices.shape[-2], 1)
    return (rows[..., i, :] * rows[..., j, :]).sum(-1)


class Regularisers(NamedTuple):
    """The terms of training beside the data, not weighted yet."""

    cosines: jax.Array
    sparsity: jax.Array
    orthogonality: jax.Array
    continuity: jax.Array


def regularise(networks: Networks, w) -> Regularisers:
    """The regularisers of the parameters, and of w `(B, T, K)` at all steps with a step before.

    cosines        (1/K) sum over k and i < j of |cos(row i, row j)| of V_k: rows within each matrix get orthogonal.
                   So has the authors' code; it does not make different V_k differ
    sparsity       mean over samples of the sum of |w| over steps and k
    orthogonality  sum over i < j of cos^2 between what latents i and j show: rows of the linear decoder's kernel
                   `(R, D)`, or of a perceptron's first kernel
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


def normalise(params, name="tidhy"):
    """Haiku parameters with those of the module `name` scaled to norm 1, for after an optimiser's step.

    Rows of a linear decoder's kernel `(R, D)`, one for each latent: r_i may grow by what its row shrinks by, and only
    a unit row fixes the scale of r that penalties and thresholds are for. (The authors' flax code has columns, one for
    each output, which takes the outputs' own scales away; their PyTorch code has latents.) And V_k, in the Frobenius
    norm, so that w alone says how strong it is. A perceptron's decoder stays as it is.
    """

    def scale(rows):
        return rows * jax.lax.rsqrt(jnp.maximum(jnp.square(rows).sum(-1, keepdims=True), TINY**2))

    changed = {name: params[name] | {"temporal": scale(params[name]["temporal"])}}
    decoder = f"{name}/~/decoder"
    if decoder in params:
        changed[decoder] = params[decoder] | {"w": scale(params[decoder]["w"])}
    return params | changed


class TiDHy(hk.Module):
    """The networks of TiDHy for observations of D = `features`: p(x | r), r2 to w, and r to V(r2) r.

    Abe & Brunton (2024), "TiDHy: timescale demixing via hypernetworks to learn simultaneous dynamics from mixed
    observations", doi:10.1101/2025.01.28.635316. What infers r and r2 (`cells.tidhy_inference`) takes `networks()`,
    the parameters as plain arrays, so it runs inside any loop and derivative of jax.

    Kernels start truncated normal with the variance 2 / (inputs + outputs), biases at 0 but for the last ones of the
    hypernetwork at 1, and V_k as I / K and a tenth of orthonormal vectors of R^2 numbers: the
    first forecast is about persistence, from which no w has to die. (The authors' have no I and no such bias.)
    """

    def __init__(self, features, config: TiDHyConfig, name="tidhy"):
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
    def _make_map(size, name):
        start = hk.initializers.VarianceScaling(1.0, "fan_avg", "truncated_normal")
        bias = hk.initializers.Constant(1.0 if name == "hyper_3" else 0.0)
        return LinearMap(size, with_bias=bias, w_init=start, name=name)

    def networks(self) -> Networks:
        """All parameters."""
        dtype, config = jnp.result_type(float), self.config

        def affine(name):
            linear, inputs = self.maps[name]
            return Affine(linear.kernel(inputs, dtype), linear.bias(inputs, dtype))

        def perceptron(part):
            shape = (config.hyper_dim,)
            scale = hk.get_parameter(f"{part}_scale", shape, dtype, init=jnp.ones)
            offset = hk.get_parameter(f"{part}_offset", shape, dtype, init=jnp.zeros)
            return Perceptron(affine(f"{part}_1"), scale, offset, affine(f"{part}_2"), affine(f"{part}_3"))

        shape = (config.mix_dim, config.r_dim**2)

        def start(shape, dtype):
            apart = hk.initializers.Orthogonal(0.1)(shape, dtype)
            return apart + jnp.eye(config.r_dim, dtype=dtype).ravel() / config.mix_dim

        temporal = hk.get_parameter("temporal", shape, dtype, init=start)
        decoder = perceptron("decoder") if config.nonlinear_decoder else affine("decoder")
        return Networks(decoder, perceptron("hyper"), temporal)

    def decode(self, r):
        """x^ `(..., D)` of r `(..., R)`."""
        return decode(self.networks(), r, self.config.loss)

    def mix(self, r2):
        """w `(..., K)` of r2 `(..., Q)`."""
        return mix(self.networks(), r2, self.config.weights)

    def advance(self, r, r2):
        """V(r2) r."""
        return advance(self.networks(), r, r2, self.config.weights)

    def draw_first(self, batch_size):
        """r2 `(B, Q)` ~ N(0, 0.01^2) from which the first step starts; without a random key 0."""
        shape, dtype = (self.config.r2_dim,), jnp.result_type(float)
        drawn = draw_samples(lambda key: 0.01 * jax.random.normal(key, shape, dtype), batch_size)
        return jnp.zeros((batch_size, *shape), dtype) if drawn is None else drawn
