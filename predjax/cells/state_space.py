"""Diagonal linear recurrences of a complex state: LRU, S5 and ConvS5, step by step and by associative scan."""

import dataclasses
import math

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from predjax.cells.base import RecurrentCell
from predjax.cells.hippo import diagonalise_hippo, start_inputs, start_outputs
from predjax.cells.linear import DType, Initializer, LinearMap, Shape, add_maps
from predjax.cells.options import check_number, option

LEAST_DECAY = -1e-4  # of the real parts of clipped eigenvalues, as in the code of Smith et al. (2023)


def scan_linear(decay: jax.Array, drives: jax.Array, first: jax.Array) -> jax.Array:
    """Solve x_t = decay x_{t-1} + drive_t for t = 1 ... T by an associative scan of depth log T.

    `decay` is `(N,)`, `first` is x_0 `(..., N)`; the drives and the result are `(T, ..., N)`.
    """
    drives = drives.at[0].add(decay * first)
    decays = jnp.broadcast_to(decay, (len(drives), *[1] * (drives.ndim - 2), len(decay)))

    def combine(before: tuple[jax.Array, jax.Array], after: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        return before[0] * after[0], after[0] * before[1] + after[1]

    return jax.lax.associative_scan(combine, (decays, drives))[1]


def discretise(eigenvalues: jax.Array, step_size: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the factors of the state and of the drive in a step d: exp(L d) and (exp(L d) - 1) / L, L = `eigenvalues`.

    The drive is held constant during the step.
    """
    return jnp.exp(eigenvalues * step_size), jnp.expm1(eigenvalues * step_size) / eigenvalues


@dataclasses.dataclass(eq=False)
class StateSpace(RecurrentCell):
    """The base class of LRU, S5 and ConvS5: a linear recurrence that acts on each channel of a complex state.

        x' = a x + g (B u)    y = Re(C x') + D u

    Inputs u `(B, *S, I)` become outputs y `(B, *S, F)`; the state x is complex, `(B, *S, state_size)`. a and g are
    vectors. B and C are dense or convolutions. `skip` chooses D: a "vector", as in the papers, for as many inputs as
    features; a "dense" matrix, the same for every pixel; or "none". `state_size` 0 stands for `features`. The layers of
    the papers put a nonlinearity after the cell.
    """

    state_size: int = option(0, low=0)
    skip: str = option("vector", choices=("vector", "dense", "none"))
    factor = 1  # 2 where each state stands for a pair of conjugates
    input: LinearMap = dataclasses.field(init=False)  # B, real and imaginary parts
    output: LinearMap = dataclasses.field(init=False)  # C, real and imaginary parts

    def __post_init__(self) -> None:
        super().__post_init__()
        self.state_size = self.state_size or self.features
        self.skip_map = LinearMap(self.features, context=self.context, name="d") if self.skip == "dense" else None

    def initial_state(self, batch_size: int) -> jax.Array:
        """Return zeros."""
        return self.zeros(batch_size, self.state_size, complex)

    def factors(self, dtype: DType) -> tuple[jax.Array, jax.Array]:
        """Return a and g, each `(state_size,)`."""
        raise NotImplementedError

    def drive(self, inputs: jax.Array, scale: jax.Array) -> jax.Array:
        """Return g B u."""
        return scale * jax.lax.complex(*jnp.split(self.input(inputs), 2, axis=-1))

    def parts(self, states: jax.Array) -> jax.Array:
        """Return Re x and -Im x side by side, times `factor`; from them the map `output` makes factor Re(C x)."""
        return self.factor * jnp.concatenate([states.real, -states.imag], -1)

    def read(self, states: jax.Array, inputs: jax.Array) -> jax.Array:
        """Return the outputs of a step, given the states after the step and the inputs."""
        outputs = self.output(self.parts(states))
        if self.skip_map:
            outputs += self.skip_map(inputs)
        elif self.skip == "vector":
            if inputs.shape[-1] != self.features:
                raise ValueError(
                    f"skip 'vector' needs as many inputs as features, not {inputs.shape[-1]} for {self.features}:"
                    " 'dense' and 'none' do not"
                )
            d = hk.get_parameter("d", (self.features,), inputs.dtype, init=hk.initializers.RandomNormal())
            outputs += d * inputs
        return outputs

    def __call__(self, inputs: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        decay, scale = self.factors(inputs.dtype)
        state = decay * state + self.drive(inputs, scale)
        return self.read(state, inputs), state

    def unroll(self, inputs: jax.Array, state: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Run all steps at once, as `predjax.unroll`: `(B, T, *S, I)` to `(B, T, *S, F)`, and the last state."""
        batch, steps = inputs.shape[:2]
        flat = inputs.swapaxes(0, 1).reshape(-1, *inputs.shape[2:])
        decay, scale = self.factors(inputs.dtype)
        drives = self.drive(flat, scale)
        states = scan_linear(decay, drives.reshape(steps, batch, *drives.shape[1:]), state)
        outputs = self.read(states.reshape(drives.shape), flat)
        return outputs.reshape(steps, batch, *outputs.shape[1:]).swapaxes(0, 1), states[-1]


@dataclasses.dataclass(eq=False)
class LRU(StateSpace):
    """The linear recurrent unit of Orvieto et al. (2023), arXiv:2303.06349; shapes and `skip` are as in `StateSpace`.

        x' = L x + exp(gamma) (B u)    y = Re(C x') + D u    L = exp(-exp(nu) + i exp(theta)), so that |L| < 1

    Start as in the paper: L is uniform in the area of the ring between the radii `r_min` and `r_max`, its phases up to
    `max_phase`; exp(2 gamma) = 1 - |L|^2; the real and imaginary parts of B are N(0, 1/2I), those of C are N(0, 1/N)
    with N states; D is N(0, 1).
    """

    r_min: float = option(0.0, low=0, high=1)
    r_max: float = 1.0
    max_phase: float = option(6.28, above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("r_max", self.r_max, above=self.r_min, high=1)
        half, double = (hk.initializers.VarianceScaling(scale, "fan_in", "normal") for scale in (0.5, 2.0))
        self.input = self.linear(2 * self.state_size, "b", w_init=half)
        self.output = self.linear(self.features, "c", w_init=double)

    def factors(self, dtype: DType) -> tuple[jax.Array, jax.Array]:
        """Return L and exp(gamma)."""
        shape = (self.state_size,)

        def draw(shape: Shape, dtype: DType) -> jax.Array:  # away from 0 and 1, where the logarithms end
            return hk.initializers.RandomUniform(1e-6, 1 - 1e-6)(shape, dtype)

        def start_nu(shape: Shape, dtype: DType) -> jax.Array:
            low, high = self.r_min**2, self.r_max**2
            return jnp.log(-0.5 * jnp.log(draw(shape, dtype) * (high - low) + low))

        nu = hk.get_parameter("nu", shape, dtype, init=start_nu)
        theta = hk.get_parameter("theta", shape, dtype, init=lambda *a: jnp.log(self.max_phase * draw(*a)))
        gamma = hk.get_parameter("gamma", shape, dtype, init=lambda *_: 0.5 * jnp.log(-jnp.expm1(-2 * jnp.exp(nu))))
        return jnp.exp(jax.lax.complex(-jnp.exp(nu), jnp.exp(theta))), jnp.exp(gamma)


@dataclasses.dataclass(eq=False)
class S5(StateSpace):
    """The state-space layer S5: dx/dt = L x + B u with u held constant for a step d; shapes are as in `StateSpace`.

        x' = exp(L d) x + (exp(L d) - 1)/L (B u)    y = 2 Re(C x') + D u

    Smith, Warrington & Linderman (2023), "Simplified state space layers", arXiv:2208.04933. Each state has its own step
    d = exp(log_step). With `conjugate` a state stands for itself and its complex conjugate; without, the state stands
    for itself alone, and y = Re(C x') + D u. `clip_eigenvalues` keeps Re L at most -1e-4.

    Start as in the paper: L holds the eigenvalues, and V the eigenvectors, of HiPPO-N (`cells.hippo`) in `blocks`
    blocks; B = V^H B_0 and C = C_0 V, with LeCun normal B_0 (real) and C_0 (complex); D is N(0, 1); log_step is uniform
    between the logarithms of `step_min` and `step_max`.
    """

    blocks: int = option(1)
    conjugate: bool = option(True)
    clip_eigenvalues: bool = option(False)
    step_min: float = option(0.001, above=0)
    step_max: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.factor = 1 + self.conjugate
        check_number("step_max", self.step_max, low=self.step_min)
        if self.state_size % self.blocks:
            raise ValueError(f"blocks must divide state_size {self.state_size}, not {self.blocks}")
        self.start, v = diagonalise_hippo(self.factor * self.state_size, self.blocks, self.conjugate)
        b_init, c_init = self.initialisers(v)
        self.input = self.linear(2 * self.state_size, "b", w_init=b_init)
        self.output = self.linear(self.features, "c", w_init=c_init)

    def initialisers(self, v: np.ndarray) -> tuple[Initializer, Initializer]:
        """Return the initialisers of B and C."""
        return start_inputs(v, 1.0), start_outputs(v, 1.0, real=False)

    def factors(self, dtype: DType) -> tuple[jax.Array, jax.Array]:
        """Return exp(L d) and (exp(L d) - 1)/L."""
        shape = (self.state_size,)
        real = hk.get_parameter("lambda_re", shape, dtype, init=lambda *_: jnp.asarray(self.start.real, dtype))
        imaginary = hk.get_parameter("lambda_im", shape, dtype, init=lambda *_: jnp.asarray(self.start.imag, dtype))
        uniform = hk.initializers.RandomUniform(math.log(self.step_min), math.log(self.step_max))
        step_size = jnp.exp(hk.get_parameter("log_step", shape, dtype, init=uniform))
        if self.clip_eigenvalues:
            real = jnp.minimum(real, LEAST_DECAY)
        return discretise(jax.lax.complex(real, imaginary), step_size)


def normalise_groups(x: jax.Array, groups: int) -> jax.Array:
    """Normalise `groups` groups of channels of x `(B, *S, F)` to mean 0 and variance 1 over pixels and channels."""
    split = x.reshape(len(x), -1, groups, x.shape[-1] // groups)
    centred = split - split.mean((1, 3), keepdims=True)
    variance = jnp.square(centred).mean((1, 3), keepdims=True)
    return (centred * jax.lax.rsqrt(variance + 1e-6)).reshape(x.shape)  # 1e-6: flax's, which the authors use


@dataclasses.dataclass(eq=False)
class ConvS5(S5):
    """S5 on the pixels of a map, with convolutions B, C and D: y = gelu(N(2 Re(C * x') + D * u + b)).

    Smith et al. (2023), "Convolutional state space models for long-range spatiotemporal modeling", arXiv:2310.19694.
    This is the "standard" head of the authors' code: N is group normalisation in `groups` groups, with a scale and an
    offset for each channel. The head "linear" is y = 2 Re(C * x') + D * u + b. Shapes are as in `StateSpace`; here the
    three convolutions have the same size, and eigenvalues are clipped by default.

    L starts as in `S5`, B_0 and C_0 real He normal, D LeCun normal, b and the offset at 0, the scale at 1.
    """

    skip: str = dataclasses.field(default="none", init=False)
    conjugate: bool = dataclasses.field(default=True, init=False)
    clip_eigenvalues: bool = option(True)
    head: str = option("standard", choices=("standard", "linear"))
    groups: int = option(1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.features % self.groups:
            raise ValueError(f"groups must divide features {self.features}, not {self.groups}")
        lecun = hk.initializers.VarianceScaling(1.0, "fan_in", "truncated_normal")
        self.skip_conv = self.linear(self.features, "d", jnp.zeros, lecun)

    def initialisers(self, v: np.ndarray) -> tuple[Initializer, Initializer]:
        """Return the initialisers of B and C."""
        return start_inputs(v, 2.0), start_outputs(v, 2.0, real=True)

    def read(self, states: jax.Array, inputs: jax.Array) -> jax.Array:
        """Return the outputs of a step, given the states after the step and the inputs."""
        outputs = add_maps((self.output, self.parts(states)), (self.skip_conv, inputs))
        if self.head == "linear":
            return outputs
        scale = hk.get_parameter("scale", (self.features,), inputs.dtype, init=jnp.ones)
        offset = hk.get_parameter("offset", (self.features,), inputs.dtype, init=jnp.zeros)
        return jax.nn.gelu(scale * normalise_groups(outputs, self.groups) + offset)
