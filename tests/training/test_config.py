"""What a training cannot be."""

import pytest

from predjax.training.config import TrainConfig


@pytest.mark.parametrize("field", ["max_iterations", "batch_size", "lr", "test_interval", "warmup_iterations"])
def test_impossible_numbers_are_refused(field):
    with pytest.raises(ValueError, match=f"{field} must"):
        TrainConfig(**{field: -1})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"lr_schedule": "milestones"}, "lr_milestones belong to lr_schedule milestones, and it needs some"),
        ({"lr_milestones": (3,)}, "lr_milestones belong to"),
        ({"lr_schedule": "milestones", "lr_milestones": (5, 3)}, "lr_milestones must rise from above 0, got 5,3"),
        ({"lr_schedule": "milestones", "lr_milestones": (5,), "lr_drop": 0.0}, "lr_drop must be above 0"),
        ({"lr_schedule": "step"}, "'step' is not one of cosine, constant, milestones"),
        ({"lr_schedule": "constant", "lr_options": '{"end_value": 1}'}, "lr_options belong to .*, not to constant"),
        ({"lr_options": "x"}, "lr_options 'x' is not JSON"),
        ({"lr_options": "3"}, "lr_options must be an object such as"),
        ({"lr_schedule": "onecycle", "warmup_iterations": 5}, "onecycle has its own warm-up"),
        ({"ema": 1.0}, "ema must be from 0 to below 1, got 1"),
        ({"accumulate": 0}, "accumulate must be positive, got 0"),
    ],
)
def test_schedules_and_averages_that_cannot_be_are_refused(fields, reason):
    with pytest.raises(ValueError, match=reason):
        TrainConfig(**fields)
