"""Checks of the options of cells. An option is a plain value from a flag; an error names it, the rule and the value."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp

ACTIVATIONS = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "gelu": jax.nn.gelu,
    "identity": lambda x: x,
}


def option(default: Any, **rule: Any) -> Any:
    """Return the dataclass field of an option; `check_fields` holds a value to the type of the default and to the rule.

    The rule is given as keywords of `check_number` for a float, of `check_count` for an int, of `check_choice` for a
    text.
    """
    return dataclasses.field(default=default, metadata={"rule": rule})


def check_fields(options: Any) -> None:
    """Raise a ValueError for the first `option` of a dataclass whose value breaks its rule."""
    checks: dict[type, Callable] = {bool: check_switch, int: check_count, float: check_number, str: check_choice}
    for field in dataclasses.fields(options):
        if "rule" in field.metadata:
            checks[type(field.default)](field.name, getattr(options, field.name), **field.metadata["rule"])


def check_number(
    option: str, value: Any, low: float | None = None, high: float | None = None, above: float | None = None
) -> float:
    """Return the value as a float if it is a number in [low, high] and more than `above`, else raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise ValueError(f"{option} must be a number, not {value!r}")
    if low is not None and value < low:
        raise ValueError(f"{option} must be at least {low}, not {value!r}")
    if above is not None and value <= above:
        raise ValueError(f"{option} must be more than {above}, not {value!r}")
    if high is not None and value > high:
        raise ValueError(f"{option} must be at most {high}, not {value!r}")
    return float(value)


def check_count(option: str, value: Any, low: int = 1) -> int:
    """Return the value if it is a whole number of at least `low`, else raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ValueError(f"{option} must be a whole number of at least {low}, not {value!r}")
    return value


def check_switch(option: str, value: Any) -> bool:
    """Return the value if it is true or false, else raise ValueError."""
    if not isinstance(value, bool):
        raise ValueError(f"{option} must be true or false, not {value!r}")
    return value


def check_choice(option: str, value: Any, choices: Iterable[str]) -> str:
    """Return the value if it is one of the choices, else raise ValueError."""
    if value not in tuple(choices):
        raise ValueError(f"{option} must be one of {', '.join(choices)}, not {value!r}")
    return value


def choose_activation(value: Any) -> Callable[[jax.Array], jax.Array]:
    """Return the function of `ACTIVATIONS` with that name."""
    return ACTIVATIONS[check_choice("activation", value, ACTIVATIONS)]


def read_counts(option: str, value: Any) -> tuple[int, ...]:
    """Return the whole numbers of a text such as "1,2,4"."""
    try:
        counts = tuple(int(part) for part in value.split(","))
    except (AttributeError, ValueError):
        raise ValueError(f"{option} must be whole numbers with commas between them, not {value!r}") from None
    if min(counts) < 1:
        raise ValueError(f"{option} must be at least 1 each, not {value!r}")
    return counts
