"""predjax: forecasts of radar movies with recurrent networks.

    commands/      inspect, train, evaluate, compare, sweep, forecast, prepare, analyse, launch ...
    jobs/          what they do, typed, for Python as well
    training/      the update and the loop around it
    nowcasts/      trained models and baselines behind one signature
    verification/  scores from sums that add
    analysis/      what a trained network does
    pictures/      maps, curves, animations, the report
    synthetic/     made-up radar movies, Moving MNIST, series of known systems
    radar/         movies from files of any format, windows and batches of them, forecasts into files
    motion/        optical flow, advection, moving coordinates
    models/        stacks of cells, wrappers, sampling, scaling, losses: the Forecaster
    cells/         recurrent cells, every one an hk.RNNCore
    kernels/       convolutions and the scan, which make cells fast
    pretrained/    a network for frames of 5 minutes and 1 km
    units, unit_names, flags, run_file, checkpoint, kept, parallel, paths, files, locks, messages: used by all of them

Importing predjax imports none of this.
"""

from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "unroll": "predjax.cells",
    "ModelConfig": "predjax.models.config",
    "SamplingConfig": "predjax.models.config",
    "Scaling": "predjax.models.scaling",
    "Forecaster": "predjax.models.forecaster",
    "make_forecaster": "predjax.models.forecaster",
    "inspect": "predjax.jobs.inspect",
    "train": "predjax.jobs.train",
    "evaluate": "predjax.jobs.evaluate",
    "compare": "predjax.jobs.compare",
    "sweep": "predjax.jobs.sweep",
    "forecast": "predjax.jobs.forecast",
    "find_rain_on_areas": "predjax.jobs.areas",
    "load_model": "predjax.nowcasts.model",
    "make_nowcast": "predjax.nowcasts.model",
    "persist": "predjax.nowcasts.persistence",
    "read_movies": "predjax.radar.readers",
    "Scoring": "predjax.verification.fields",
    "statistics": "predjax.verification.scores",
    "skill": "predjax.verification.scores",
}

__all__ = [*_PUBLIC, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        import importlib

        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'predjax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
