"""Recurrences by unitary and orthogonal matrices, and by normal-plus-triangular ones: nothing fades by itself."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from predjax.cells.base import RecurrentCell
from predjax.cells.linear import LinearMap
from predjax.cells.options import check_choice, check_count, check_number, check_switch

GLOROT = hk.initializers.VarianceScaling(1.0, "fan_avg", "uniform")


def rectify_modulus(z, b):
    """modReLU: (|z| + b) z / |z| where that is outwards, else 0 (Arjovsky et al. 2016); for complex z and real ones."""
    if not jnp.iscomplexobj(z):
        return jnp.sign(z) * jax.nn.relu(jnp.abs(z) + b)
    square = jnp.square(z.real) + jnp.square(z.imag)
    exists = square > 0  # double where: the gradient of the root at 0 would be infinite
    modulus = jnp.sqrt(jnp.where(exists, square, 1.0))
    return jnp.where(exists, jax.nn.relu(modulus + b) / modulus, 0.0) * z


def reflect(h, v):
    """R h with R = I - 2 v v^* / |v|^2, over the last axis."""
    inner = (h * v.conj()).sum(-1, keepdims=True)
    return h - 2 * inner * v / (jnp.square(v.real) + jnp.square(v.imag)).sum()


def rotate_unitary(h, angles, reflections, permutation):
    """W h, W = D3 R2 F^-1 D2 P R1 F D1 (Arjovsky et al. 2016, eq. 6), unitary for every parameter.

    Args:
      h: complex `(..., n)`.
      angles: `(3, n)` w of the diagonal matrices D = diag(exp(i w)).
      reflections: complex `(2, n)`, v of the reflections R.
      permutation: n numbers; (P h)[i] = h[permutation[i]].
    """
    h = jnp.fft.fft(jnp.exp(1j * angles[0]) * h)
    h = jnp.exp(1j * angles[1]) * reflect(h, reflections[0])[..., permutation]
    return jnp.exp(1j * angles[2]) * reflect(jnp.fft.ifft(h), reflections[1])


class Unitary(RecurrentCell):
    """h' = modReLU(W h + V x), output U [Re h'; Im h'] + b_o: `(B, *S, I)` to `(B, *S, F)`, h complex `(B, *S, F)`.

    The unitary evolution RNN of Arjovsky, Shah & Bengio (2016), arXiv:1511.06464, eqs. 6 to 8. W (`rotate_unitary`)
    acts on the channels of each pixel; V is complex, without bias, dense or a convolution; U is the same for every
    pixel. The first state is learned. P is one random permutation, drawn from `permutation_seed`.

    Initial values as in the paper: angles uniform in +-pi, v in +-1, biases 0, V and U Glorot, h_0 in +-sqrt(3 / 2F).
    """

    def __init__(self, features, spatial_shape=(), kernel_shape=(), permutation_seed=0, context=None, name=None):
        super().__init__(features, spatial_shape, kernel_shape, context, name)
        # RandomState: numpy promises its stream for good, and a checkpoint does not hold the permutation.
        seed = check_count("permutation_seed", permutation_seed, low=0)
        self.permutation = np.random.RandomState(seed).permutation(features)
        self.input = self.linear(2 * features, "input", w_init=GLOROT)
        self.output = LinearMap(features, (), jnp.zeros, GLOROT, self.context, "output")

    def initial_state(self, batch_size):
        """The learned h_0, the same for every row and pixel."""
        bound = (3 / (2 * self.features)) ** 0.5
        first = hk.get_parameter("h_0", (2, self.features), float, init=hk.initializers.RandomUniform(-bound, bound))
        return jnp.broadcast_to(jax.lax.complex(*first), (batch_size, *self.spatial_shape, self.features))

    def rotate(self, hidden):
        """W h."""
        n, dtype = self.features, hidden.real.dtype
        angles = hk.get_parameter("angles", (3, n), dtype, init=hk.initializers.RandomUniform(-np.pi, np.pi))
        v = hk.get_parameter("reflections", (2, 2, n), dtype, init=hk.initializers.RandomUniform(-1.0, 1.0))
        return rotate_unitary(hidden, angles, jax.lax.complex(*v), self.permutation)

    def __call__(self, inputs, state):
        driven = self.rotate(state) + jax.lax.complex(*jnp.split(self.input(inputs), 2, axis=-1))
        b = hk.get_parameter("b", (self.features,), inputs.dtype, init=jnp.zeros)
        hidden = rectify_modulus(driven, b)
        return self.output(jnp.concatenate([hidden.real, hidden.imag], -1)), hidden


def make_skew(values, size: int):
    """X - X^T with the `size (size - 1) / 2` values in the upper triangle of X, row by row."""
    upper = jnp.zeros((size, size), values.dtype).at[np.triu_indices(size, 1)].set(values)
    return upper - upper.T


def start_skew(size: int, scheme: str):
    """The initialiser of `make_skew`'s values: blocks [[0, s], [-s, 0]] on the diagonal, zeros elsewhere.

    "henaff": s ~ U(-pi, 0) (Henaff et al. 2016); "cayley": s = -sqrt((1 - cos u) / (1 + cos u)), u ~ U(0, pi/2)
    (Helfrich et al. 2018); both as in Lezcano-Casado & Martinez-Rubio (2019).
    """
    rows, columns = np.triu_indices(size, 1)
    places = np.flatnonzero((rows % 2 == 0) & (columns == rows + 1))

    def start(shape, dtype):
        if scheme == "henaff":
            s = hk.initializers.RandomUniform(-np.pi, 0.0)(places.shape, dtype)
        else:
            cosine = jnp.cos(hk.initializers.RandomUniform(0.0, np.pi / 2)(places.shape, dtype))
            s = -jnp.sqrt((1 - cosine) / (1 + cosine))
        return jnp.zeros(shape, dtype).at[places].set(s)

    return start


class ExpRNN(RecurrentCell):
    """h' = modReLU(exp(A) h + T x), A = X - X^T: `(B, *S, I)` to `(B, *S, F)`; the state is h, also the output.

    Lezcano-Casado & Martinez-Rubio (2019), "Cheap orthogonal constraints in neural networks", arXiv:1901.08428. exp(A)
    is orthogonal and acts on the channels of each pixel; T is dense or a convolution. With `activation` "relu" it is
    h' = relu(exp(A) h + T x + b), a form seen in libraries; modReLU has its b inside.

    A starts by the `start` of `start_skew`, T Kaiming normal, b uniform in +-0.01, h at zero, as in the paper.
    """

    def __init__(
        self,
        features,
        spatial_shape=(),
        kernel_shape=(),
        activation="mod_relu",
        start="cayley",
        context=None,
        name=None,
    ):
        super().__init__(features, spatial_shape, kernel_shape, context, name)
        self.activation = check_choice("activation", activation, ("mod_relu", "relu"))
        self.start = check_choice("start", start, ("cayley", "henaff"))
        kaiming = hk.initializers.VarianceScaling(2.0, "fan_in", "normal")
        self.input = self.linear(features, "input", w_init=kaiming)

    def orthogonal(self, dtype=float):
        """exp(A), `(F, F)`."""
        n = self.features
        values = hk.get_parameter("skew", (n * (n - 1) // 2,), dtype, init=start_skew(n, self.start))
        return jax.scipy.linalg.expm(make_skew(values, n))

    def matrix(self, dtype=float):
        """What multiplies h."""
        return self.orthogonal(dtype)

    def __call__(self, inputs, state):
        matrix = self.context.derive(f"{self.module_name}/matrix", lambda: self.matrix(state.dtype))
        driven = state @ matrix.T + self.input(inputs)
        b = hk.get_parameter("b", (self.features,), inputs.dtype, init=hk.initializers.RandomUniform(-0.01, 0.01))
        hidden = rectify_modulus(driven, b) if self.activation == "mod_relu" else jax.nn.relu(driven + b)
        return hidden, hidden


def rotation_blocks(radii, angles):
    """Lambda: blocks r [[cos a, -sin a], [sin a, cos a]] on the diagonal, with eigenvalues r exp(+-i a)."""
    n = len(radii)
    even = 2 * np.arange(n)
    c, s = radii * jnp.cos(angles), radii * jnp.sin(angles)
    blocks = jnp.zeros((2 * n, 2 * n), radii.dtype).at[even, even].set(c).at[even + 1, even + 1].set(c)
    return blocks.at[even, even + 1].set(-s).at[even + 1, even].set(s)


class NnRNN(ExpRNN):
    """h' = modReLU(V h + U x), V = P (Lambda + T) P^T, P = exp(A): `(B, *S, I)` to `(B, *S, F)`, F even.

    The non-normal RNN of Kerg et al. (2019), arXiv:1905.12080. Lambda is that of `rotation_blocks`, T is strictly
    block lower triangular (zero inside the 2 x 2 blocks), so the eigenvalues of V are r exp(+-i a), whatever T. (The
    authors' code also trains the lower entry inside each block; then they are not.) V acts on the channels of each
    pixel; U is dense or a convolution. Without `rotations` Lambda is a plain real diagonal and T strictly lower
    triangular, a form seen in libraries; any F will do. `activation` and `start` as in `ExpRNN`.

    T starts at zero, r at 1, a uniform in [0, 2 pi], A as in `ExpRNN`; the loss gets `penalty()`, `delta` times the
    sum of (r - 1)^2.
    """

    def __init__(
        self,
        features,
        spatial_shape=(),
        kernel_shape=(),
        activation="mod_relu",
        start="cayley",
        rotations=True,
        delta=1e-4,
        context=None,
        name=None,
    ):
        super().__init__(features, spatial_shape, kernel_shape, activation, start, context, name)
        self.delta = check_number("delta", delta, low=0)
        self.rotations = check_switch("rotations", rotations)
        if rotations and features % 2:
            raise ValueError(f"features must be even for rotation blocks, not {features}")

    def radii(self, dtype=float):
        """r, one for each block, or for each feature without `rotations`."""
        return hk.get_parameter("radii", (self.features // (1 + self.rotations),), dtype, init=jnp.ones)

    def penalty(self):
        """delta times the sum of (r - 1)^2."""
        return self.delta * jnp.square(self.radii() - 1).sum()

    def matrix(self, dtype=float):
        """V, `(F, F)`."""
        n, radii, p = self.features, self.radii(dtype), self.orthogonal(dtype)
        width = 1 + self.rotations
        block = np.arange(n) // width
        places = np.nonzero(block[:, None] > block[None, :])
        lower = hk.get_parameter("lower", (len(places[0]),), dtype, init=jnp.zeros)
        if self.rotations:
            start = hk.initializers.RandomUniform(0.0, 2 * np.pi)
            diagonal = rotation_blocks(radii, hk.get_parameter("angles", (n // 2,), dtype, init=start))
        else:
            diagonal = jnp.diag(radii)
        return p @ diagonal.at[places].set(lower) @ p.T
