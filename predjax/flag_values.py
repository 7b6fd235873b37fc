"""Values of flags, read from their texts."""

import argparse
import math


def parse_bool(text: str) -> bool:
    """Read 0 or 1, as the flags of the PyTorch code have it, or true/false, yes/no."""
    values = {"0": False, "1": True, "false": False, "true": True, "no": False, "yes": True}
    if text.lower() not in values:
        raise argparse.ArgumentTypeError(f"expected 0 or 1, got {text!r}")
    return values[text.lower()]


def parse_finite(text: str) -> float:
    """Read a finite number. Infinities and NaN are refused here, because a NaN would pass every check by comparison."""
    value = float(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a finite number, got {text!r}")
    return value


def parse_values(element: type, text: str, name: str = "") -> tuple:
    """Read `16,16` as (16, 16), the empty text as (). Errors: ValueError, which begins with `name` if given."""
    try:
        return tuple(element(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        expected = f"expected {element.__name__} values separated by commas, got {text!r}"
        raise ValueError(f"{name}: {expected}" if name else expected) from None
