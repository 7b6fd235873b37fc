"""The options of a comparison of models. Imports no array library."""

import dataclasses
import re
from typing import Any, NamedTuple

from predjax.flags import REQUIRED, flag
from predjax.jobs.train_options import Given, TrainOptions
from predjax.models.config import find_spec
from predjax.nowcasts.baselines import BASELINES, check_baselines, list_usual

# Fields of the configurations that are not flags of a comparison, because models, seeds and budget set them.
SAID_BY_OPTIONS = ("model_name", "max_iterations", "num_seeds", "patience")
_BUDGET = re.compile(r"(\d+(?:\.\d+)?)(it|min)")


class Budget(NamedTuple):
    """The length of each training: iterations, or minutes of updates; the other is None."""

    iterations: int | None = None
    minutes: float | None = None


def read_budget(text: str) -> Budget:
    """Read a budget. Errors: ValueError, it is neither whole iterations nor minutes.

    >>> read_budget("500it"), read_budget("20min")
    (Budget(iterations=500, minutes=None), Budget(iterations=None, minutes=20.0))
    """
    found = _BUDGET.fullmatch(text)
    number = float(found[1]) if found else 0.0
    if not found or number <= 0 or (found[2] == "it" and number % 1):
        raise ValueError(f"budget must be iterations such as 500it, or minutes such as 20min, not {text!r}")
    return Budget(int(number)) if found[2] == "it" else Budget(minutes=number)


@dataclasses.dataclass(frozen=True)
class CompareOptions:
    """The options of a comparison: the models, how long each network is trained, and the folder.

    Errors: ValueError, an unknown or a repeated model, a number or a budget that is not possible.
    """

    models: tuple[str, ...] = flag(REQUIRED, "to compare, of those that predjax models lists", metavar="NAMES")
    save_dir: str = flag(
        REQUIRED,
        "the table, the scores and a picture; below it MODEL/seed_N, a run for each network",
        metavar="DIR",
        kind="folder",
        place=True,
    )
    resume: bool = flag(
        False, "go on with the comparison in --save_dir, also with more models or seeds", switch=True, place=True
    )
    seeds: int = flag(3, "networks of each model, of the seeds from --seed on", metavar="N")
    budget: str = flag(
        "200it", "of each training: iterations (500it), or minutes of updates (20min)", metavar="Nit|Nmin"
    )
    reference: str | None = flag(None, "model that the others are compared with (default: the first)", metavar="NAME")
    baselines: tuple[str, ...] | None = flag(
        None, f"of {', '.join(BASELINES)} (default {','.join(list_usual())})", metavar="NAMES"
    )

    def __post_init__(self) -> None:
        for name in self.models:
            find_spec(name)
        if not self.models or len(set(self.models)) < len(self.models):
            raise ValueError(f"models must be different ones, at least one, not {','.join(self.models) or 'none'}")
        if self.reference not in (None, *self.models):
            raise ValueError(f"reference {self.reference} is not one of the models {', '.join(self.models)}")
        if self.seeds < 1:
            raise ValueError(f"seeds must be at least 1, not {self.seeds}")
        read_budget(self.budget)
        check_baselines(self.baselines or ())


class CompareRequest(NamedTuple):
    """A request to compare models: `given` and `training` hold what all trainings have in common."""

    options: CompareOptions
    given: Given = Given()
    training: TrainOptions = TrainOptions()  # of which scaling and thresholds count
    data: Any = None  # paths; None: the sample movies
    valid_data: Any = None  # paths to validate on; None: parts of `data` are held out

    @property
    def seeds(self) -> list[int]:
        """The seeds of the networks of each model."""
        first = self.given.training.get("seed", 0)
        return list(range(first, first + self.options.seeds))

    def make_given(self, model: str, seed: int, iterations: int | None = None) -> Given:
        """Return the values of one training."""
        training = {**self.given.training, "seed": seed}
        if iterations:
            training["max_iterations"] = iterations
        return self.given._replace(model={**self.given.model, "model_name": model}, training=training)
