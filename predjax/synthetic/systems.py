"""The table of the systems that make vector time series."""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from predjax.synthetic import driven_series, dynamics, kuramoto_sivashinsky, mackey_glass, switching_linear, two_rossler
from predjax.synthetic.dynamics import Series, SeriesConfig

SAMPLING = ("length", "dt", "transient", "observation_noise")  # options that leave the system itself as it is


class System(NamedTuple):
    """A system that makes series: its name in words, configuration, features, sources, and known properties."""

    title: str
    config: type[SeriesConfig]
    make: Callable[[Any, int, int], Series]  # the configuration is of the type above
    features: tuple[str, ...] | Callable[[Any], tuple[str, ...]]
    references: str
    lyapunov: float | None = None  # the largest exponent, per model time unit, with the default parameters
    lyapunov_source: str = ""
    input_name: str = ""  # the meaning of the input of a driven system
    truth_names: Mapping[str, str] = MappingProxyType({})  # the meaning of each hidden truth


SYSTEMS = {
    "lorenz63": System(
        "Lorenz-63",
        dynamics.Lorenz63Config,
        dynamics.make_lorenz63,
        ("x", "y", "z"),
        "Lorenz (1963), https://doi.org/10.1175/1520-0469(1963)020<0130:DNF>2.0.CO;2",
        0.9056,
        "Viswanath (1998), Lyapunov exponents from random Fibonacci sequences to the Lorenz equations",
    ),
    "lorenz96": System(
        "Lorenz-96",
        dynamics.Lorenz96Config,
        dynamics.make_lorenz96,
        lambda config: tuple(f"x_{i}" for i in range(config.num_variables)),
        "Lorenz (1996), Predictability: a problem partly solved, ECMWF Seminar on Predictability",
        1.67,
        "Brajard et al. (2020), https://doi.org/10.1016/j.jocs.2020.101171",
    ),
    "rossler": System(
        "Rössler",
        dynamics.RosslerConfig,
        dynamics.make_rossler,
        ("x", "y", "z"),
        "Rössler (1976), https://doi.org/10.1016/0375-9601(76)90101-8",
        0.0714,
        "Sprott (2003), Chaos and Time-Series Analysis, Oxford University Press",
    ),
    "mackey_glass": System(
        "Mackey-Glass",
        mackey_glass.MackeyGlassConfig,
        mackey_glass.make_mackey_glass,
        ("x",),
        "Mackey & Glass (1977), https://doi.org/10.1126/science.267326",
        0.006,
        "as usually quoted, by the method of Farmer (1982), https://doi.org/10.1016/0167-2789(82)90042-2",
    ),
    "henon": System(
        "Hénon",
        dynamics.HenonConfig,
        dynamics.make_henon,
        ("x", "y"),
        "Hénon (1976), https://doi.org/10.1007/BF01608556",
        0.419,
        "Sprott (2003), Chaos and Time-Series Analysis, Oxford University Press",
    ),
    "double_scroll": System(
        "Double scroll",
        dynamics.DoubleScrollConfig,
        dynamics.make_double_scroll,
        ("x", "y", "z"),
        "Chua, Komuro & Matsumoto (1986), https://doi.org/10.1109/TCS.1986.1085869",
    ),
    "kuramoto_sivashinsky": System(
        "Kuramoto-Sivashinsky",
        kuramoto_sivashinsky.KuramotoSivashinskyConfig,
        kuramoto_sivashinsky.make_kuramoto_sivashinsky,
        lambda config: tuple(f"u_{i}" for i in range(config.num_points)),
        "Kuramoto & Tsuzuki (1976), https://doi.org/10.1143/PTP.55.356; "
        "Sivashinsky (1977), https://doi.org/10.1016/0094-5765(77)90096-0",
        0.043,
        "Edson et al. (2019), https://doi.org/10.1017/S1446181119000105",
    ),
    "narma": System(
        "NARMA",
        driven_series.NarmaConfig,
        driven_series.make_narma,
        ("y",),
        "Atiya & Parlos (2000), https://doi.org/10.1109/72.846741",
        input_name="uniform random input",
    ),
    "sine_wave": System(
        "Sine-wave task",
        driven_series.SineWaveConfig,
        driven_series.make_sine_wave,
        ("sine",),
        "Sussillo & Barak (2013), https://doi.org/10.1162/NECO_a_00409",
        input_name="level that sets the frequency",
    ),
    "switching_linear": System(
        "Switching linear dynamical system",
        switching_linear.SwitchingLinearConfig,
        switching_linear.make_switching_linear,
        lambda config: tuple(f"x_{i}" for i in range(config.features)),
        "Linderman et al. (2017), https://arxiv.org/abs/1610.08466; "
        "Abe & Brunton (2025), https://doi.org/10.1101/2025.01.28.635316",
        truth_names={"mode": "mode that leads to the step"},
    ),
    "two_rossler": System(
        "Slow and fast Rössler",
        two_rossler.TwoRosslerConfig,
        two_rossler.make_two_rossler,
        lambda config: tuple(f"{sight}_{i}" for i, sight in enumerate(two_rossler.list_sights(config))),
        "Rössler (1976), https://doi.org/10.1016/0375-9601(76)90101-8; "
        "Abe & Brunton (2025), https://doi.org/10.1101/2025.01.28.635316",
        truth_names={"latent": "x, y, z of the slow and of the fast oscillator, standardised"},
    ),
}


def make_series(name: str, config: SeriesConfig, seed: int, movie: int) -> Series:
    """Make series number `movie` of `seed` as float32, with observation noise; integer truths become int32.

    Errors: ValueError where the values grow without bound with these parameters.
    """
    with np.errstate(all="ignore"):  # infinite values are found below
        series = SYSTEMS[name].make(config, seed, movie)
        noise = np.random.default_rng([seed, movie, 1]).standard_normal(series.values.shape)
        values = (series.values + config.observation_noise * series.values.std(0) * noise).astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} grows without bound with these parameters")
    kinds = {"i": np.int32, "f": np.float32}
    truths = {key: truth.astype(kinds[truth.dtype.kind]) for key, truth in series.truths.items()}
    return Series(values, None if series.inputs is None else series.inputs.astype(np.float32), truths)


def find_system(config: SeriesConfig) -> str:
    """Return the name of the system that a configuration belongs to."""
    return next(name for name, system in SYSTEMS.items() if system.config is type(config))


def name_features(name: str, config: SeriesConfig) -> tuple[str, ...]:
    """Return the names of the features of a system."""
    features = SYSTEMS[name].features
    return features(config) if callable(features) else features


def has_default_parameters(config: SeriesConfig) -> bool:
    """Return whether all parameters of the system have their default values; sampling and noise do not count."""
    usual = type(config)()
    names = [field.name for field in dataclasses.fields(config) if field.name not in SAMPLING]
    return all(getattr(config, name) == getattr(usual, name) for name in names)
