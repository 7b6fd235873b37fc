"""Facts about a training that are told before it starts."""

import datetime

from predjax import parallel
from predjax.jobs.plan import TrainingPlan
from predjax.training.loop import Estimate
from predjax.training.run import Run


def describe_run(run: Run, plan: TrainingPlan, cost: Estimate, first: int) -> dict[str, str]:
    """Return facts about a run, by name."""
    config, count = plan.model, run.config.num_seeds
    height, width, channels = run.batches.frame_shape
    left = run.config.max_iterations - first
    duration = datetime.timedelta(seconds=round(left * cost.iteration_seconds))
    return {
        "model": f"{config.model_name}, {config.size_text}, patches of {config.patch_size}, "
        f"{cost.parameters:,} parameters" + (f", {count} networks at once" if count > 1 else ""),
        "data": f"{len(plan.data.sources)} sources in {plan.data.units}, frames {height}x{width}x{channels}, "
        f"{config.input_length or 'none'} observed -> {config.total_length - config.input_length} predicted",
        "held out": plan.data.split.rule,
        "scaling": str(config.scaling),
        **(
            {"motion": "frames move with the observed rain (--coordinates fixed: they do not)"} if config.moving else {}
        ),
        "device": f"{parallel.describe(run.devices)}, batch {run.config.batch_size}"
        f"{f' x {run.config.accumulate}' if run.config.accumulate > 1 else ''}, about "
        f"{cost.bytes / 2**20:,.0f} MB a device",
        "time": f"{cost.iteration_seconds:.2f} s an iteration, {left} iterations: about {duration} (compiled in "
        f"{cost.compile_seconds:.0f} s)",
        "folder": str(plan.folder),
    }
