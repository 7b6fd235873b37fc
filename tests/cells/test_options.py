"""Checks of options: a good value comes back, a bad one is named with its option and the rule."""

import jax.numpy as jnp
import numpy as np
import pytest

from predjax.cells.options import (
    ACTIVATIONS,
    check_choice,
    check_count,
    check_number,
    check_switch,
    choose_activation,
    read_counts,
)


def test_good_values_come_back():
    assert check_number("a", 1, low=1, high=1, above=0) == 1.0 and isinstance(check_number("a", 1), float)
    assert (check_count("a", 0, low=0), check_switch("a", False), check_choice("a", "x", ("x",))) == (0, False, "x")
    assert read_counts("a", "1,2, 4") == (1, 2, 4)
    x = jnp.array([-1.0, 0.5])
    np.testing.assert_array_equal(choose_activation("identity")(x), x)
    assert set(ACTIVATIONS) == {"tanh", "relu", "sigmoid", "gelu", "identity"}


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: check_number("a", "1"), "a must be a number, not '1'"),
        (lambda: check_number("a", True), "a must be a number, not True"),
        (lambda: check_number("a", float("nan")), "a must be a number, not nan"),
        (lambda: check_number("a", -1, low=0), "a must be at least 0, not -1"),
        (lambda: check_number("a", 0, above=0), "a must be more than 0, not 0"),
        (lambda: check_number("a", 2, high=1), "a must be at most 1, not 2"),
        (lambda: check_count("a", 0), "a must be a whole number of at least 1, not 0"),
        (lambda: check_count("a", 2.0), "a must be a whole number of at least 1, not 2.0"),
        (lambda: check_count("a", True), "a must be a whole number of at least 1, not True"),
        (lambda: check_switch("a", 1), "a must be true or false, not 1"),
        (lambda: check_choice("a", "z", ("x", "y")), "a must be one of x, y, not 'z'"),
        (
            lambda: choose_activation("step"),
            "activation must be one of tanh, relu, sigmoid, gelu, identity, not 'step'",
        ),
        (lambda: read_counts("a", "1;2"), "a must be whole numbers with commas between them, not '1;2'"),
        (lambda: read_counts("a", 3), "a must be whole numbers with commas between them, not 3"),
        (lambda: read_counts("a", "2,0"), "a must be at least 1 each, not '2,0'"),
    ],
)
def test_a_bad_value_is_named_with_its_option_and_the_rule(check, message):
    with pytest.raises(ValueError) as caught:
        check()
    assert str(caught.value) == message
