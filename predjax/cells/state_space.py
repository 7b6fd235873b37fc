"""Linear recurrences on the diagonal of a complex state: LRU, S5 and ConvS5, by steps and by associative scan."""

import math

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.base import RecurrentCell
from predjax.cells.hippo import diagonalise_hippo, start_inputs, start_outputs
from predjax.cells.linear import LinearMap, add_maps
from predjax.cells.options import check_choice, check_count, check_number, check_switch

LEAST_DECAY = -1e-4  # of the real parts of clipped eigenvalues, as in the code of Smith et al. (2023)


def scan_linear(decay, drives, first):
    """x_t = decay x_{t-1} + drive_t for t = 1 ... T, with a depth of log T.

    Args:
      decay: `(N,)`.
      drives: `(T, ..., N)`.
      first: x_0 `(..., N)`.

    Returns:
      x_1 ... x_T, `(T, ..., N)`.
    """
    drives = drives.at[0].add(decay * first)
    decays = jnp.broadcast_to(decay, (len(drives), *[1] * (drives.ndim - 2), len(decay)))

    def combine(before, after):
        return before[0] * after[0], after[0] * before[1] + after[1]

    return jax.lax.associative_scan(combine, (decays, drives))[1]


def discretise(eigenvalues, step_size):
    """exp(L d) and (exp(L d) - 1) / L: the factors of state and drive when the drive is held for a step d."""
    return jnp.exp(eigenvalues * step_size), jnp.expm1(eigenvalues * step_size) / eigenvalues


class StateSpace(RecurrentCell):
    """x' = a x + g (B u), y = Re(C x') + D u: `(B, *S, I)` to `(B, *S, F)`, x complex `(B, *S, state_size)`.

    What LRU, S5 and ConvS5 have in common. a and g are vectors, so that the recurrence acts on each channel of each
    pixel; B and C are dense or convolutions. `skip` says what D is: "vector", as in the papers, for as many inputs as
    features; "dense", a matrix for every pixel; or "none". `state_size` 0 is that of `features`. The layers of the
    papers have a nonlinearity after the cell.

    Children give `factors(dtype)`: a and g, each `(state_size,)`.
    """

    factor = 1  # 2 where each state stands for a pair of conjugates

    def __init__(self, features, spatial_shape, kernel_shape, state_size, skip, context, name):
        super().__init__(features, spatial_shape, kernel_shape, context, name)
        self.state_size = check_count("state_size", state_size, low=0) or features
        self.skip = check_choice("skip", skip, ("vector", "dense", "none"))
        self.skip_map = LinearMap(features, context=self.context, name="d") if skip == "dense" else None

    def initial_state(self, batch_size):
        """All zeros."""
        return self.zeros(batch_size, self.state_size, complex)

    def drive(self, inputs, scale):
        """g B u."""
        return scale * jax.lax.complex(*jnp.split(self.input(inputs), 2, axis=-1))

    def parts(self, states):
        """What C's real and imaginary parts multiply to Re(C x)."""
        return self.factor * jnp.concatenate([states.real, -states.imag], -1)

    def read(self, states, inputs):
        """The outputs of states after a step and inputs of the step."""
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

    def __call__(self, inputs, state):
        decay, scale = self.factors(inputs.dtype)
        state = decay * state + self.drive(inputs, scale)
        return self.read(state, inputs), state

    def unroll(self, inputs, state):
        """As `predjax.unroll`, with all steps at once: `(B, T, *S, I)` to `(B, T, *S, F)`, and the last state."""
        batch, steps = inputs.shape[:2]
        flat = inputs.swapaxes(0, 1).reshape(-1, *inputs.shape[2:])
        decay, scale = self.factors(inputs.dtype)
        drives = self.drive(flat, scale)
        states = scan_linear(decay, drives.reshape(steps, batch, *drives.shape[1:]), state)
        outputs = self.read(states.reshape(drives.shape), flat)
        return outputs.reshape(steps, batch, *outputs.shape[1:]).swapaxes(0, 1), states[-1]


class LRU(StateSpace):
    """x' = L x + exp(gamma) (B u), y = Re(C x') + D u, with L = exp(-exp(nu) + i exp(theta)), so that |L| < 1.

    The linear recurrent unit of Orvieto et al. (2023), arXiv:2303.06349. Shapes and `skip` as `StateSpace`. Initial
    values as in the paper: |L| uniform in area between `r_min` and `r_max`, phases uniform up to `max_phase`,
    exp(2 gamma) = 1 - |L|^2, trained from there; the parts of B from N(0, 1/2I), of C from N(0, 1/N), D from N(0, 1).
    """

    def __init__(
        self,
        features,
        spatial_shape=(),
        kernel_shape=(),
        state_size=0,
        skip="vector",
        r_min=0.0,
        r_max=1.0,
        max_phase=6.28,
        context=None,
        name=None,
    ):
        super().__init__(features, spatial_shape, kernel_shape, state_size, skip, context, name)
        self.r_min = check_number("r_min", r_min, low=0, high=1)
        self.r_max = check_number("r_max", r_max, above=self.r_min, high=1)
        self.max_phase = check_number("max_phase", max_phase, above=0)
        half, double = (hk.initializers.VarianceScaling(scale, "fan_in", "normal") for scale in (0.5, 2.0))
        self.input = self.linear(2 * self.state_size, "b", w_init=half)
        self.output = self.linear(features, "c", w_init=double)

    def factors(self, dtype):
        """L and exp(gamma)."""
        shape = (self.state_size,)

        def draw(shape, dtype):  # away from 0 and 1, where the logarithms end
            return hk.initializers.RandomUniform(1e-6, 1 - 1e-6)(shape, dtype)

        def start_nu(shape, dtype):
            low, high = self.r_min**2, self.r_max**2
            return jnp.log(-0.5 * jnp.log(draw(shape, dtype) * (high - low) + low))

        nu = hk.get_parameter("nu", shape, dtype, init=start_nu)
        theta = hk.get_parameter("theta", shape, dtype, init=lambda *a: jnp.log(self.max_phase * draw(*a)))
        gamma = hk.get_parameter("gamma", shape, dtype, init=lambda *_: 0.5 * jnp.log(-jnp.expm1(-2 * jnp.exp(nu))))
        return jnp.exp(jax.lax.complex(-jnp.exp(nu), jnp.exp(theta))), jnp.exp(gamma)


class S5(StateSpace):
    """x' = exp(L d) x + (exp(L d) - 1)/L (B u), y = 2 Re(C x') + D u: dx/dt = L x + B u with u held for a step d.

    Smith, Warrington & Linderman (2023), "Simplified state space layers", arXiv:2208.04933. Shapes and `skip` as
    `StateSpace`. Each state stands for itself and its conjugate, or without `conjugate` for itself: y = Re(C x') + D u.
    d = exp(log_step), one for every state.

    Initial values as in the paper: L and V of HiPPO-N (`cells.hippo`) in `blocks` blocks, B = V^H B_0 and C = C_0 V
    with LeCun normal B_0 (real) and C_0 (complex), D from N(0, 1), log_step uniform between the logarithms of
    `step_min` and `step_max`. `clip_eigenvalues` keeps Re L at most -1e-4.
    """

    def __init__(
        self,
        features,
        spatial_shape=(),
        kernel_shape=(),
        state_size=0,
        skip="vector",
        blocks=1,
        conjugate=True,
        clip_eigenvalues=False,
        step_min=0.001,
        step_max=0.1,
        context=None,
        name=None,
    ):
        super().__init__(features, spatial_shape, kernel_shape, state_size, skip, context, name)
        self.factor = 1 + check_switch("conjugate", conjugate)
        self.clips = check_switch("clip_eigenvalues", clip_eigenvalues)
        self.step_min = check_number("step_min", step_min, above=0)
        self.step_max = check_number("step_max", step_max, low=self.step_min)
        if self.state_size % check_count("blocks", blocks):
            raise ValueError(f"blocks must divide state_size {self.state_size}, not {blocks}")
        self.start, v = diagonalise_hippo(self.factor * self.state_size, blocks, conjugate)
        b_init, c_init = self.initialisers(v)
        self.input = self.linear(2 * self.state_size, "b", w_init=b_init)
        self.output = self.linear(features, "c", w_init=c_init)

    def initialisers(self, v):
        """Of B and C."""
        return start_inputs(v, 1.0), start_outputs(v, 1.0, real=False)

    def factors(self, dtype):
        """exp(L d) and (exp(L d) - 1)/L."""
        shape = (self.state_size,)
        real = hk.get_parameter("lambda_re", shape, dtype, init=lambda *_: jnp.asarray(self.start.real, dtype))
        imaginary = hk.get_parameter("lambda_im", shape, dtype, init=lambda *_: jnp.asarray(self.start.imag, dtype))
        uniform = hk.initializers.RandomUniform(math.log(self.step_min), math.log(self.step_max))
        step_size = jnp.exp(hk.get_parameter("log_step", shape, dtype, init=uniform))
        if self.clips:
            real = jnp.minimum(real, LEAST_DECAY)
        return discretise(jax.lax.complex(real, imaginary), step_size)


def normalise_groups(x, groups: int):
    """Zero mean and unit variance over pixels and the channels of each of `groups` groups; `(B, *S, F)`."""
    split = x.reshape(len(x), -1, groups, x.shape[-1] // groups)
    centred = split - split.mean((1, 3), keepdims=True)
    variance = jnp.square(centred).mean((1, 3), keepdims=True)
    return (centred * jax.lax.rsqrt(variance + 1e-6)).reshape(x.shape)  # 1e-6: flax's, which the authors use


class ConvS5(S5):
    """S5 on the pixels of a map, with convolutions B, C and D: y = gelu(N(2 Re(C * x') + D * u + b)).

    Smith et al. (2023), "Convolutional state space models for long-range spatiotemporal modeling", arXiv:2310.19694,
    with the "standard" head of the authors' code: N is group normalisation in `groups` groups, with a scale and an
    offset for each channel. With the head "linear" y = 2 Re(C * x') + D * u + b. Shapes as `StateSpace`; all three
    convolutions have the same size here, and eigenvalues are clipped by default.

    Initial values: L as in `S5`, B_0 and C_0 real He normal, D LeCun normal, b and the offset 0, the scale 1.
    """

    def __init__(
        self,
        features,
        spatial_shape=(),
        kernel_shape=(),
        state_size=0,
        head="standard",
        groups=1,
        blocks=1,
        clip_eigenvalues=True,
        step_min=0.001,
        step_max=0.1,
        context=None,
        name=None,
    ):
        options = {"clip_eigenvalues": clip_eigenvalues, "step_min": step_min, "step_max": step_max, "context": context}
        super().__init__(features, spatial_shape, kernel_shape, state_size, "none", blocks, **options, name=name)
        self.head = check_choice("head", head, ("standard", "linear"))
        self.groups = check_count("groups", groups)
        if features % groups:
            raise ValueError(f"groups must divide features {features}, not {groups}")
        lecun = hk.initializers.VarianceScaling(1.0, "fan_in", "truncated_normal")
        self.skip_map = self.linear(features, "d", jnp.zeros, lecun)

    def initialisers(self, v):
        """Of B and C."""
        return start_inputs(v, 2.0), start_outputs(v, 2.0, real=True)

    def read(self, states, inputs):
        """The outputs of states after a step and inputs of the step."""
        outputs = add_maps((self.output, self.parts(states)), (self.skip_map, inputs))
        if self.head == "linear":
            return outputs
        scale = hk.get_parameter("scale", (self.features,), inputs.dtype, init=jnp.ones)
        offset = hk.get_parameter("offset", (self.features,), inputs.dtype, init=jnp.zeros)
        return jax.nn.gelu(scale * normalise_groups(outputs, self.groups) + offset)
