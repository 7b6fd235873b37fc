"""Physically recurrent networks (Maia et al. 2023): a layer of material points with their histories as memory."""

import dataclasses

import haiku as hk
import jax
import jax.numpy as jnp

from predjax.cells.context import StepContext
from predjax.cells.linear import DType, Initializer, LinearMap, Shape
from predjax.cells.options import check_count, check_fields, check_number, option
from predjax.cells.plasticity import ExponentialHardening, Material, PlasticState, rest, update_stress

DECODERS = ("soft", "sparse_norm", "shared_norm")


def decode_stress(stress: jax.Array, weights: jax.Array, decoder: str) -> jax.Array:
    """Return the stress of the material from the stresses of its points `(..., m, 3)`, weighted by softplus(w) > 0.

    soft         y = sum over points and components of softplus(w) s, w `(3m, 3)`
    sparse_norm  y_c = sum over points of softplus(w_c) s_c / sum of softplus(w_c), w `(m, 3)`: a mean of each component
    shared_norm  the same with one weight for each point, w `(m, 1)`
    """
    weights = jax.nn.softplus(weights)
    if decoder == "soft":
        return stress.reshape(*stress.shape[:-2], -1) @ weights
    return (stress * weights).sum(-2) / weights.sum(-2)


def _start_small(shape: Shape, dtype: DType) -> jax.Array:
    """Draw weights whose softplus add up to about one for every output."""
    return jnp.log(jnp.expm1(hk.initializers.RandomUniform(0.5, 1.5)(shape, dtype) / shape[0]))


@dataclasses.dataclass(eq=False)
class Physical(hk.RNNCore):
    """The physically recurrent network: strain `(B, *S, 3)` to stress `(B, *S, 3)` by way of m material points.

        z = E x    s = J2(z) in each point    y = `decode_stress`(s)

    Maia, Rocha, Kerfriden & van der Meer (2023), "Physically recurrent neural networks for path-dependent heterogeneous
    materials", doi:10.1016/j.cma.2023.115934. E has no bias and gives each point its own strain. The point answers by
    elastoplasticity (`cells.plasticity`); its history (`PlasticState`, `(B, *S, m, ...)`) is the state. Only this part
    needs steps: `unroll` encodes and decodes all of them at once. The decoder of the paper is "soft"; the other two,
    which are weighted means, are in libraries.

    `young`, `poisson`, `yield_first`, `yield_last` and `yield_scale` are the constants of `Material` and its hardening.
    E starts as N(0, 1/3): points see strains as large as the given ones. w starts uniform in 0 to 1, except for "soft",
    where softplus(w) starts at about 1/3m: points whose stresses add up to many times the stress of the material learn
    to hide in small strains, and then unload wrongly.
    """

    points: int
    spatial_shape: Shape = ()
    decoder: str = option("soft", choices=DECODERS)
    young: float = option(Material.young, above=0)
    poisson: float = option(Material.poisson, above=-1, high=0.5)
    yield_first: float = option(ExponentialHardening.first, above=0)
    yield_last: float = ExponentialHardening.last
    yield_scale: float = option(ExponentialHardening.scale, above=0)
    context: StepContext = dataclasses.field(default_factory=StepContext, kw_only=True)
    name: str | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("points", self.points)
        check_fields(self)
        check_number("yield_last", self.yield_last, low=self.yield_first)
        hardening = ExponentialHardening(self.yield_first, self.yield_last, self.yield_scale)
        self.material = Material(self.young, self.poisson, hardening)
        start = hk.initializers.VarianceScaling(1.0, "fan_in", "normal")
        self.encoder = LinearMap(3 * self.points, w_init=start, context=self.context, name="encoder")

    def initial_state(self, batch_size: int) -> PlasticState:
        """Return the state of points that have not been strained yet."""
        return rest((batch_size, *self.spatial_shape, self.points))

    def _encode(self, strain: jax.Array) -> jax.Array:
        if strain.shape[-1] != 3:
            raise ValueError(f"strains have the components xx, yy and xy, not {strain.shape[-1]}")
        return self.encoder(strain).reshape(*strain.shape[:-1], self.points, 3)

    def _decode(self, stress: jax.Array) -> jax.Array:
        shape = {"soft": (3 * self.points, 3), "sparse_norm": (self.points, 3), "shared_norm": (self.points, 1)}
        init: Initializer = _start_small if self.decoder == "soft" else hk.initializers.RandomUniform(0.0, 1.0)
        weights = hk.get_parameter("decoder", shape[self.decoder], stress.dtype, init=init)
        return decode_stress(stress, weights, self.decoder)

    def __call__(self, inputs: jax.Array, state: PlasticState) -> tuple[jax.Array, PlasticState]:
        stress, state = update_stress(self._encode(inputs), state, self.material)
        return self._decode(stress), state

    def unroll(self, inputs: jax.Array, state: PlasticState) -> tuple[jax.Array, PlasticState]:
        """Run all steps, as `predjax.unroll`: strains `(B, T, *S, 3)` to stresses of that shape, and the last state."""

        def step(state: PlasticState, strain: jax.Array) -> tuple[PlasticState, jax.Array]:
            stress, state = update_stress(strain, state, self.material)
            return state, stress

        state, stress = jax.lax.scan(step, state, jnp.moveaxis(self._encode(inputs), 1, 0))
        return self._decode(jnp.moveaxis(stress, 0, 1)), state
