"""Cells over sequences: parameters in, outputs and the states of all steps out."""

import functools

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

compile_quickly = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
STATES = {"zero": False, "state0": True}


def draw(*shape, seed=0, scale=1.0):
    """Normal numbers, always the same, in the default precision."""
    return jnp.asarray(scale * np.random.default_rng([seed, *shape]).normal(size=shape), float)


def follow(make, params, inputs, state=None):
    """Outputs `(B, T, *S, F)` and the states of all steps, `(B, T, ...)` each, of the cell that `make()` gives.

    The parameters must be those of the cell: all of them, of these shapes, and no others.
    """

    def run(inputs, state):
        cell = make()
        first = cell.initial_state(len(inputs)) if state is None else state
        return hk.dynamic_unroll(cell, inputs, first, time_major=False, return_all_states=True)

    pure = hk.without_apply_rng(hk.transform(run))
    params = jax.tree.map(jnp.asarray, params)
    expected = jax.eval_shape(pure.init, jax.random.key(0), inputs, state)
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(lambda leaf: leaf.shape, expected)
    return compile_quickly(pure.apply)(params, inputs, state)


def make_params(make, inputs, seed=0):
    """The initial parameters of the cell that `make()` gives, for inputs `(B, ...)` of one step."""

    def run(inputs):
        cell = make()
        return cell(inputs, cell.initial_state(len(inputs)))

    return compile_quickly(hk.transform(run).init)(jax.random.key(seed), inputs)


def apply_method(make, params, method, *arguments):
    """`method(cell, *arguments)` of the cell that `make()` gives."""
    return hk.without_apply_rng(hk.transform(lambda *a: method(make(), *a))).apply(params, *arguments)


def make_matrix(function, shape):
    """The matrix of a linear map of arrays of this shape."""
    size = int(np.prod(shape))
    return jax.jacobian(lambda v: function(v.reshape(shape)).ravel())(jnp.zeros(size))


def to_channels_last(a):
    """`(..., C, H, W)` to `(..., H, W, C)`."""
    return np.moveaxis(a, -3, -1)


def convert_maps(arrays, modules, orders=None):
    """PyTorch's convolutions and layer norms `param/<name>.{0,1}.*` as parameters of our modules.

    Args:
      arrays: of a fixture.
      modules: their names by those of PyTorch.
      orders: for names whose parts are in another order there, theirs of ours.
    """
    params = {}
    for theirs, ours in modules.items():

        def read(key, theirs=theirs):
            a = arrays[f"param/{theirs}.{key}"]
            order = (orders or {}).get(theirs)
            if order:
                parts = np.split(a, len(order))
                a = np.concatenate([parts[i] for i in order])
            return a

        params[ours] = {"w": read("0.weight").transpose(2, 3, 1, 0)}
        if f"param/{theirs}.1.weight" in arrays:
            norm = {"scale": to_channels_last(read("1.weight")), "offset": to_channels_last(read("1.bias"))}
            params[f"{ours}/~/norm"] = norm
    return params
