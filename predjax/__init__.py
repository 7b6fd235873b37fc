"""predjax: forecasts of radar movies with recurrent networks.

    radar/         movies from files, windows and batches of them, forecasts into files
    synthetic/     made-up radar movies and Moving MNIST
    cells/         recurrent cells, every one an hk.RNNCore
    models/        stacks of cells, sampling, scaling, losses: the Forecaster
    training/      the update and the loop around it
    nowcasts/      trained models and baselines behind one signature
    verification/  scores from sums that add
    analysis/      what a trained network does
    pictures/      maps, curves, animations
    commands/      train, evaluate, forecast, prepare, launch, analyse, export-weights, models
    pretrained/    a network for frames of 5 minutes and 1 km
    units, flags, checkpoint, parallel, files, messages: used by all of them

Importing predjax imports none of this.
"""

__version__ = "0.1.0"

_PUBLIC = {
    "unroll": "predjax.cells",
    "ModelConfig": "predjax.models.config",
    "SamplingConfig": "predjax.models.config",
    "Scaling": "predjax.models.scaling",
    "Forecaster": "predjax.models.forecaster",
    "make_forecaster": "predjax.models.forecaster",
    "train": "predjax.jobs.train",
    "evaluate": "predjax.jobs.evaluate",
    "forecast": "predjax.jobs.forecast",
    "load_model": "predjax.nowcasts.model",
    "make_nowcast": "predjax.nowcasts.model",
    "persist": "predjax.nowcasts.persistence",
    "read_movies": "predjax.radar.readers",
    "statistics": "predjax.verification.scores",
    "skill": "predjax.verification.scores",
}

__all__ = [*_PUBLIC, "__version__"]


def __getattr__(name):
    if name in _PUBLIC:
        import importlib

        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'predjax' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
