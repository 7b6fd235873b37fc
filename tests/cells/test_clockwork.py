"""The clockwork recurrence: against the reference numbers; idle modules keep what they have."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import apply_method, draw, follow, make_params

from predjax.cells import Clockwork, Elman
from predjax.cells.clockwork import ClockworkState, split_features


@pytest.mark.parametrize("start", ["zero", "state0"])
def test_against_the_published_equation(read, start):
    arrays = read("C_Clockwork")
    params = {
        "cell/~/recurrent": {"w": arrays["w/W_h_dense_block_upper"].T},
        "cell/~/input": {"w": arrays["w/W_i"].T, "b": arrays["w/b"]},
    }
    state = None
    if start == "state0":
        state = ClockworkState(arrays["state0/h"], arrays["state0/t"][:, 0].astype(np.int32))
    make = lambda: Clockwork(8, periods="1,2,4", block_sizes="3,2,3", name="cell")  # noqa: E731
    outputs, _ = follow(make, params, arrays["x"], state)
    np.testing.assert_allclose(outputs, arrays[f"paper/{start}"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("kernel_shape", [(), (3, 3)], ids=str)
def test_idle_modules_keep_what_they_have(kernel_shape):
    x = draw(2, 6, 2, 3, 2)
    make = lambda: Clockwork(5, (2, 3), kernel_shape, periods="1,2,3", name="cell")  # noqa: E731
    outputs, _ = follow(make, make_params(make, x[:, 0]), x)
    for module, period in ((slice(0, 2), 1), (slice(2, 4), 2), (slice(4, 5), 3)):
        for t in range(1, 6):
            kept = outputs[:, t, ..., module] == outputs[:, t - 1, ..., module]
            assert kept.all() if t % period else not kept.any()


def test_rows_have_clocks_of_their_own():
    x = draw(2, 1, 2)
    make = lambda: Clockwork(2, periods="2,3", name="cell")  # noqa: E731
    state = ClockworkState(draw(2, 2), jnp.array([2, 3]))
    outputs, states = follow(make, make_params(make, x[:, 0]), x, state)
    held = np.asarray(outputs[:, 0] == state.hidden)
    np.testing.assert_array_equal(held, [[False, True], [True, False]])
    np.testing.assert_array_equal(states.step[:, 0], [3, 4])


def test_slow_modules_do_not_see_fast_ones():
    """What fast modules hold moves fast ones only; what slow modules hold moves all of them."""
    make = lambda: Clockwork(4, periods="1,2", name="cell")  # noqa: E731
    x = draw(1, 3)
    params = make_params(make, x)

    def step(hidden):
        state = ClockworkState(hidden[None], jnp.zeros(1, jnp.int32))
        return apply_method(make, params, lambda cell: cell(x, state)[0][0])

    jacobian = np.asarray(jax.jacobian(step)(draw(4)))
    assert not jacobian[2:, :2].any()
    assert jacobian[:2].all() and jacobian[2:, 2:].all()


def test_one_module_of_period_one_is_elman(double):
    x = draw(2, 4, 3)
    params = make_params(lambda: Clockwork(5, periods="1", name="cell"), x[:, 0])
    outputs, _ = follow(lambda: Clockwork(5, periods="1", name="cell"), params, x)
    b = params["cell/~/input"].pop("b")
    params["cell/~/recurrent"]["b"] = b
    expected, _ = follow(lambda: Elman(5, name="cell"), params, x)
    np.testing.assert_allclose(outputs, expected, rtol=1e-12)


def test_modules_are_as_equal_as_can_be():
    assert split_features(8, 4) == (2, 2, 2, 2)
    assert split_features(8, 3) == (3, 3, 2)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"periods": "1,2,2"}, "periods must increase"),
        ({"periods": "0,1"}, "periods must be at least 1 each, not '0,1'"),
        ({"periods": "one"}, "periods must be whole numbers with commas between them, not 'one'"),
        ({"periods": "1,2,3,4,5"}, "periods must be at most one for each of the 4 features"),
        ({"periods": "1,2", "block_sizes": "1,2"}, "block_sizes must be 2 that add to 4, not"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        make_params(lambda: Clockwork(4, **options), draw(1, 3))
