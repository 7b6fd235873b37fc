"""The context of a step: draws of samples, and constants that are made once."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from sequences import draw

from predjax import unroll
from predjax.cells.context import StepContext

KEY = jax.random.key(0)


def run(function, key=KEY):
    """What a Haiku function without parameters gives."""
    return hk.transform(function).apply({}, key)


def test_a_sample_draws_the_same_in_every_part_of_the_batch():
    """Of the samples 0 to 5, the last two on a device of their own."""

    def make(first_sample, size):
        return run(lambda: StepContext(first_sample=first_sample).draw(lambda key: jax.random.normal(key, (3,)), size))

    whole = make(0, 6)
    np.testing.assert_array_equal(jnp.concatenate([make(0, 4), make(4, 2)]), whole)
    assert len(np.unique(whole)) == whole.size
    assert run(lambda: StepContext().draw(lambda key: key, 2), None) is None


def test_dropout_zeroes_at_its_rate_and_keeps_the_mean():
    x = 1 + jnp.square(draw(8, 5000))
    dropped = run(lambda: StepContext().drop(x, 0.4))
    zero = np.asarray(dropped == 0)
    np.testing.assert_allclose(zero.mean(), 0.4, atol=0.01)
    np.testing.assert_allclose(dropped[~zero], x[~zero] / 0.6, rtol=1e-6)
    for rate, key in ((0.0, KEY), (0.4, None)):
        assert run(lambda rate=rate: StepContext().drop(x, rate), key) is x


def test_a_constant_is_made_once_where_it_is_shared_and_every_time_elsewhere():
    context, made = StepContext(), []

    def make():
        made.append(len(made))
        return jnp.asarray(made[-1])

    assert [int(context.constant("a", make)) for _ in range(2)] == [0, 1]
    with context.share_constants():
        assert [int(context.constant(name, make)) for name in "aba"] == [2, 3, 2]
        with context.share_constants():
            assert int(context.constant("a", make)) == 4
        assert int(context.constant("a", make)) == 2
    assert int(context.constant("a", make)) == 5


def test_a_core_of_haiku_without_a_context_unrolls():
    def compare(inputs):
        core = hk.GRU(3)
        state = core.initial_state(2)
        return unroll(core, inputs, state), hk.dynamic_unroll(core, inputs, state, time_major=False)

    inputs, both = draw(2, 4, 3), hk.without_apply_rng(hk.transform(compare))
    ours, theirs = both.apply(both.init(KEY, inputs), inputs)
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)
