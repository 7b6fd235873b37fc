"""What comparisons of cells share: figures that are kept as they come, and widths for equal numbers of parameters."""

import json
import pathlib
from collections.abc import Callable, Iterable

from tqdm import tqdm


def measure_missing(path: str | None, names: Iterable[str], measure: Callable[[str], dict]) -> dict:
    """`measure(name)` by name, of those that the JSON file at `path` does not have; it is written after each."""
    file = pathlib.Path(path) if path else None
    results = json.loads(file.read_text()) if file and file.is_file() else {}
    for name in tqdm([name for name in names if name not in results], disable=None):
        results[name] = measure(name)
        if file:
            file.write_text(json.dumps(results, indent=1) + "\n")
    return results


def find_widest(count: Callable[[int], int], budget: int, least: int) -> int:
    """The greatest even width from `least` to 4096 at which `count(width)` parameters are within the budget."""
    low, high = least, 4096
    while high - low > 2:
        middle = (low + high) // 4 * 2
        low, high = (middle, high) if count(middle) <= budget else (low, middle)
    return low
