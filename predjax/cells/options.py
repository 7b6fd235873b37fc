"""Options of cells come as plain values from a flag; every check names the option, the rule and the value."""

import jax
import jax.numpy as jnp

ACTIVATIONS = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "gelu": jax.nn.gelu,
    "identity": lambda x: x,
}


def check_number(option: str, value, low=None, high=None, above=None) -> float:
    """The value as a float, if it is a number in [low, high] and more than `above`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise ValueError(f"{option} must be a number, not {value!r}")
    if low is not None and value < low:
        raise ValueError(f"{option} must be at least {low}, not {value!r}")
    if above is not None and value <= above:
        raise ValueError(f"{option} must be more than {above}, not {value!r}")
    if high is not None and value > high:
        raise ValueError(f"{option} must be at most {high}, not {value!r}")
    return float(value)


def check_count(option: str, value, low=1) -> int:
    """The value, if it is a whole number of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ValueError(f"{option} must be a whole number of at least {low}, not {value!r}")
    return value


def check_switch(option: str, value) -> bool:
    """The value, if it is true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{option} must be true or false, not {value!r}")
    return value


def check_choice(option: str, value, choices) -> str:
    """The value, if it is one of the choices."""
    if value not in tuple(choices):
        raise ValueError(f"{option} must be one of {', '.join(choices)}, not {value!r}")
    return value


def choose_activation(value):
    """The function of `ACTIVATIONS` with that name."""
    return ACTIVATIONS[check_choice("activation", value, ACTIVATIONS)]


def read_counts(option: str, value) -> tuple[int, ...]:
    """The whole numbers of a text such as "1,2,4"."""
    try:
        counts = tuple(int(part) for part in value.split(","))
    except (AttributeError, ValueError):
        raise ValueError(f"{option} must be whole numbers with commas between them, not {value!r}") from None
    if min(counts) < 1:
        raise ValueError(f"{option} must be at least 1 each, not {value!r}")
    return counts
