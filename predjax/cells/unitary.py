"""Recurrences with unitary, orthogonal, and normal-plus-triangular matrices, in which no signal fades by itself."""

import dataclasses

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from predjax.cells.base import RecurrentCell
from predjax.cells.linear import DType, Initializer, LinearMap, Shape
from predjax.cells.options import option

GLOROT = hk.initializers.VarianceScaling(1.0, "fan_avg", "uniform")


def rectify_modulus(z: jax.Array, b: jax.Array) -> jax.Array:
    """Return modReLU: (|z| + b) z / |z| where |z| + b > 0, else 0, for complex or real z (Arjovsky et al. 2016)."""
    if not jnp.iscomplexobj(z):
        return jnp.sign(z) * jax.nn.relu(jnp.abs(z) + b)
    square = jnp.square(z.real) + jnp.square(z.imag)
    exists = square > 0  # double where: the gradient of the root at 0 would be infinite
    modulus = jnp.sqrt(jnp.where(exists, square, 1.0))
    return jnp.where(exists, jax.nn.relu(modulus + b) / modulus, 0.0) * z


def reflect(h: jax.Array, v: jax.Array) -> jax.Array:
    """Return R h with R = I - 2 v v^* / |v|^2, over the last axis."""
    inner = (h * v.conj()).sum(-1, keepdims=True)
    return h - 2 * inner * v / (jnp.square(v.real) + jnp.square(v.imag)).sum()


def rotate_unitary(h: jax.Array, angles: jax.Array, reflections: jax.Array, permutation: np.ndarray) -> jax.Array:
    """Return W h for a matrix W that is unitary for all parameters (Arjovsky et al. 2016, eq. 6).

    W = D3 R2 F^-1 D2 P R1 F D1, and h is complex `(..., n)`. D = diag(exp(i w)) has the angles w `(3, n)`, R is
    `reflect` with the complex vectors v `(2, n)`, F is the Fourier transform, and (P h)[i] = h[permutation[i]].
    """
    h = jnp.fft.fft(jnp.exp(1j * angles[0]) * h)
    h = jnp.exp(1j * angles[1]) * reflect(h, reflections[0])[..., permutation]
    return jnp.exp(1j * angles[2]) * reflect(jnp.fft.ifft(h), reflections[1])


@dataclasses.dataclass(eq=False)
class Unitary(RecurrentCell):
    """The unitary evolution RNN: `(B, *S, I)` to `(B, *S, F)`; the state h is complex, `(B, *S, F)`.

        h' = modReLU(W h + V x), output U [Re h'; Im h'] + b_o

    Arjovsky, Shah & Bengio (2016), arXiv:1511.06464, eqs. 6 to 8. W (`rotate_unitary`) acts on the channels of each
    pixel. V is complex, without bias, dense or a convolution. U is the same for every pixel. The initial state h_0 is
    learnt. P is a random permutation, drawn once from `permutation_seed`.

    As in the paper, angles start uniform in +-pi, v in +-1, h_0 in +-sqrt(3 / 2F), V and U Glorot, and biases at 0.
    """

    permutation_seed: int = option(0, low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        # RandomState: numpy promises its stream for good, and a checkpoint does not hold the permutation.
        self.permutation = np.random.RandomState(self.permutation_seed).permutation(self.features)
        self.input = self.linear(2 * self.features, "input", w_init=GLOROT)
        self.output = LinearMap(self.features, (), jnp.zeros, GLOROT, self.context, "output")

    def initial_state(self, batch_size: int) -> jax.Array:
        """Return the learnt h_0, the same for every sample and pixel."""
        bound = (3 / (2 * self.features)) ** 0.5
        first = hk.get_parameter("h_0", (2, self.features), float, init=hk.initializers.RandomUniform(-bound, bound))
        return jnp.broadcast_to(jax.lax.complex(*first), (batch_size, *self.spatial_shape, self.features))

    def rotate(self, hidden: jax.Array) -> jax.Array:
        """Return W h."""
        n, dtype = self.features, hidden.real.dtype
        angles = hk.get_parameter("angles", (3, n), dtype, init=hk.initializers.RandomUniform(-np.pi, np.pi))
        v = hk.get_parameter("reflections", (2, 2, n), dtype, init=hk.initializers.RandomUniform(-1.0, 1.0))
        return rotate_unitary(hidden, angles, jax.lax.complex(*v), self.permutation)

    def __call__(self, inputs: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        driven = self.rotate(state) + jax.lax.complex(*jnp.split(self.input(inputs), 2, axis=-1))
        b = hk.get_parameter("b", (self.features,), inputs.dtype, init=jnp.zeros)
        hidden = rectify_modulus(driven, b)
        return self.output(jnp.concatenate([hidden.real, hidden.imag], -1)), hidden


def make_skew(values: jax.Array, size: int) -> jax.Array:
    """Return X - X^T; the upper triangle of X has the `size (size - 1) / 2` values, row by row."""
    upper = jnp.zeros((size, size), values.dtype).at[np.triu_indices(size, 1)].set(values)
    return upper - upper.T


def start_skew(size: int, scheme: str) -> Initializer:
    """Return the initialiser of `make_skew`'s values: blocks [[0, s], [-s, 0]] on the diagonal, zeros elsewhere.

    "henaff": s ~ U(-pi, 0) (Henaff et al. 2016). "cayley": s = -sqrt((1 - cos u) / (1 + cos u)) with u ~ U(0, pi/2)
    (Helfrich et al. 2018). Both are as in Lezcano-Casado & Martinez-Rubio (2019).
    """
    rows, columns = np.triu_indices(size, 1)
    places = np.flatnonzero((rows % 2 == 0) & (columns == rows + 1))

    def start(shape: Shape, dtype: DType) -> jax.Array:
        if scheme == "henaff":
            s = hk.initializers.RandomUniform(-np.pi, 0.0)(places.shape, dtype)
        else:
            cosine = jnp.cos(hk.initializers.RandomUniform(0.0, np.pi / 2)(places.shape, dtype))
            s = -jnp.sqrt((1 - cosine) / (1 + cosine))
        return jnp.zeros(shape, dtype).at[places].set(s)

    return start


@dataclasses.dataclass(eq=False)
class ExpRNN(RecurrentCell):
    """A recurrence with an orthogonal matrix exp(A): `(B, *S, I)` to `(B, *S, F)`; h is the state and the output.

        h' = modReLU(exp(A) h + T x)    A = X - X^T

    Lezcano-Casado & Martinez-Rubio (2019), "Cheap orthogonal constraints in neural networks", arXiv:1901.08428. exp(A)
    acts on the channels of each pixel; T is dense or a convolution. modReLU has a bias b inside. `activation` "relu"
    stands for relu(exp(A) h + T x + b), a form of some libraries.

    As in the paper, A starts by the scheme `start` of `start_skew`, T Kaiming normal, b uniform in +-0.01, h at zero.
    """

    activation: str = option("mod_relu", choices=("mod_relu", "relu"))
    start: str = option("cayley", choices=("cayley", "henaff"))

    def __post_init__(self) -> None:
        super().__post_init__()
        kaiming = hk.initializers.VarianceScaling(2.0, "fan_in", "normal")
        self.input = self.linear(self.features, "input", w_init=kaiming)

    def orthogonal(self, dtype: DType = float) -> jax.Array:
        """Return exp(A), `(F, F)`."""
        n = self.features
        values = hk.get_parameter("skew", (n * (n - 1) // 2,), dtype, init=start_skew(n, self.start))
        return jax.scipy.linalg.expm(make_skew(values, n))

    def matrix(self, dtype: DType = float) -> jax.Array:
        """Return the matrix that multiplies h, `(F, F)`."""
        return self.orthogonal(dtype)

    def __call__(self, inputs: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        matrix = self.context.constant(f"{self.module_name}/matrix", lambda: self.matrix(state.dtype))
        driven = state @ matrix.T + self.input(inputs)
        b = hk.get_parameter("b", (self.features,), inputs.dtype, init=hk.initializers.RandomUniform(-0.01, 0.01))
        hidden = rectify_modulus(driven, b) if self.activation == "mod_relu" else jax.nn.relu(driven + b)
        return hidden, hidden


def rotation_blocks(radii: jax.Array, angles: jax.Array) -> jax.Array:
    """Return Lambda: blocks r [[cos a, -sin a], [sin a, cos a]] on the diagonal, whose eigenvalues are r exp(+-i a)."""
    n = len(radii)
    even = 2 * np.arange(n)
    c, s = radii * jnp.cos(angles), radii * jnp.sin(angles)
    blocks = jnp.zeros((2 * n, 2 * n), radii.dtype).at[even, even].set(c).at[even + 1, even + 1].set(c)
    return blocks.at[even, even + 1].set(-s).at[even + 1, even].set(s)


@dataclasses.dataclass(eq=False)
class NnRNN(ExpRNN):
    """The non-normal RNN of Kerg et al. (2019), arXiv:1905.12080: `(B, *S, I)` to `(B, *S, F)`, F even.

        h' = modReLU(V h + U x)    V = P (Lambda + T) P^T    P = exp(A)

    Lambda is `rotation_blocks`. T is strictly block lower triangular (zero inside the 2 x 2 blocks): for any T the
    eigenvalues of V are r exp(+-i a). (They are not in the authors' code, which also trains the lower entry inside each
    block.) V acts on the channels of each pixel; U is dense or a convolution. Without `rotations`, a form of some
    libraries, Lambda is a real diagonal, T is strictly lower triangular, and F may be odd. `activation` and `start` are
    as in `ExpRNN`.

    T starts at zero, r at 1, a uniform in [0, 2 pi], A as in `ExpRNN`. The loss includes `penalty()`.
    """

    rotations: bool = option(True)
    delta: float = option(1e-4, low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rotations and self.features % 2:
            raise ValueError(f"features must be even for rotation blocks, not {self.features}")

    def radii(self, dtype: DType = float) -> jax.Array:
        """Return the moduli r of the eigenvalues: one for each block, or for each feature without `rotations`."""
        return hk.get_parameter("radii", (self.features // (1 + self.rotations),), dtype, init=jnp.ones)

    def penalty(self) -> jax.Array:
        """Return `delta` times the sum of (r - 1)^2."""
        return self.delta * jnp.square(self.radii() - 1).sum()

    def matrix(self, dtype: DType = float) -> jax.Array:
        """Return V, `(F, F)`."""
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
