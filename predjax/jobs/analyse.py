"""Analyse the dynamics of a trained model of a series, or of small networks: fixed points and portraits."""

import pathlib
from typing import NamedTuple

import numpy as np
import xarray as xr

from predjax.analysis.dynamics import Dynamics, find_dynamics
from predjax.analysis.fixed_points import FixedPoints, find_fixed_points, sample_starts
from predjax.analysis.gallery import Exhibit, make_gallery
from predjax.files import appearing, refuse_existing, refuse_files
from predjax.jobs.cases import CaseRequest, choose_cases, load
from predjax.jobs.options import AnalyseOptions, SearchOptions
from predjax.models.forecaster import Forecaster
from predjax.models.sampling import forecast_mask
from predjax.nowcasts.model import TrainedModel
from predjax.pictures.figures import save_png
from predjax.pictures.phase_portrait import plot_gallery, plot_phase_portrait
from predjax.radar.windows.batches import read_windows

LEAST_REACH = 1e-3  # of the search, where the trajectories stay at one state
MOST_SHOWN = 20  # fixed points, in text
FILES = ("fixed_points.nc", "portrait.png")


class Analysis(NamedTuple):
    """The result of an analysis: the model, its map from one state to the next, and the fixed points of this map."""

    model: TrainedModel
    dynamics: Dynamics
    fixed_points: FixedPoints


class Gallery(NamedTuple):
    """Small networks and the fixed points of each."""

    exhibits: list[Exhibit]
    fixed_points: list[FixedPoints]


def analyse(options: AnalyseOptions, search: SearchOptions) -> Analysis:
    """Find the fixed points of a model, and write them and a portrait where a folder is given.

    Raises:
      ValueError, OSError: one line: files that exist, data that cannot be read or do not fit the model, frames of more
        than one pixel.
    """
    if options.output:
        refuse_files(options.output, FILES, options.overwrite)
    model = load(options.checkpoint, search.member)
    dynamics = _find_dynamics(model, options, search)
    states = dynamics.trajectories.reshape(-1, dynamics.trajectories.shape[-1])
    extent = np.linalg.norm(states - states.mean(0), axis=1).max()
    starts = sample_starts(states, search.num_starts, 0.0, search.seed)
    noise = np.random.default_rng(search.seed).normal(size=starts.shape)
    starts += search.spread * states.std(0) * noise
    fixed = find_fixed_points(dynamics.step, starts, reach=max(extent, LEAST_REACH))
    analysis = Analysis(model, dynamics, fixed)
    if options.output:
        _write(pathlib.Path(options.output), analysis, options.overwrite)
    return analysis


def draw_gallery(options: AnalyseOptions, search: SearchOptions) -> Gallery:
    """Draw a fixed point, a limit cycle and a strange attractor. Errors: FileExistsError."""
    assert options.gallery, "there is a file"
    refuse_existing(pathlib.Path(options.gallery), options.overwrite)
    exhibits, fixed = make_gallery(seed=search.seed), []
    for exhibit in exhibits:
        starts = sample_starts(exhibit.trajectories, search.num_starts, search.spread, search.seed)
        fixed.append(find_fixed_points(exhibit.step, starts))
    save_png(plot_gallery(exhibits, fixed), options.gallery, overwrite=options.overwrite)
    return Gallery(exhibits, fixed)


def describe(analysis: Analysis) -> str:
    """Return the number of fixed points, and the eigenvalues about the first of them, in lines of text."""
    fixed, states = analysis.fixed_points, analysis.dynamics.trajectories.shape[-1]
    lines = [f"{analysis.model.forecaster.config.model_name}: {states} state variables; {_count(fixed)}"]
    for number, (residual, values) in enumerate(zip(fixed.residuals[:MOST_SHOWN], fixed.eigenvalues)):
        largest = values[np.argsort(-np.abs(values), kind="stable")[:4]]
        shown = ", ".join(f"{abs(value):.4f}" for value in largest)
        lines.append(f"  {number}: |F(h) - h| {residual:.1e}, largest |eigenvalues| {shown}")
    return "\n".join(lines)


def describe_gallery(gallery: Gallery) -> str:
    """Return the number of fixed points and the Lyapunov exponent of each network, in lines of text."""
    return "\n".join(
        f"{exhibit.title}: {_count(fixed)}; Lyapunov exponent {exhibit.exponent:+.3f} per time constant"
        for exhibit, fixed in zip(gallery.exhibits, gallery.fixed_points)
    )


def _count(fixed: FixedPoints) -> str:
    count, stable = len(fixed.points), int(fixed.stable.sum())
    worst = f", |F(h) - h| at most {fixed.residuals.max():.1e}" if count else ""
    return f"{count} fixed points, {stable} of them stable{worst}"


def label_fixed_points(fixed: FixedPoints) -> xr.Dataset:
    """Return fixed points with their names and meanings, as `fixed_points.nc` holds them."""
    variables = {
        "points": (("point", "state"), fixed.points, {"long_name": "fixed points h = F(h)"}),
        "residual": ("point", fixed.residuals, {"long_name": "|F(h) - h|"}),
        "jacobian": (("point", "state", "by"), fixed.jacobians, {"long_name": "dF_state / dh_by"}),
        "eigenvalue_real": (("point", "mode"), fixed.eigenvalues.real, {"long_name": "real part of the eigenvalues"}),
        "eigenvalue_imag": (("point", "mode"), fixed.eigenvalues.imag, {"long_name": "their imaginary part"}),
        "stable": ("point", fixed.stable.astype("i1"), {"long_name": "1 where all |eigenvalues| < 1"}),
    }
    return xr.Dataset(variables)


def _find_dynamics(model: TrainedModel, options: AnalyseOptions, search: SearchOptions) -> Dynamics:
    """Find the dynamics after windows of the training length; windows must end with the same forcings as the first."""
    forecaster, config = model.forecaster, model.forecaster.config
    assert isinstance(forecaster, Forecaster), "one member was loaded"
    cases, _ = choose_cases(CaseRequest(options.data_path or None, options.reading, max_cases=search.max_cases), model)
    batch = read_windows(cases.sources, cases.windows, config.total_length)
    frames, forcings = batch.frames, batch.forcings
    if forcings is not None:
        alike = (forcings[:, -1] == forcings[0, -1]).reshape(len(forcings), -1).all(1)
        frames, forcings = frames[alike], forcings[alike]
    mask = None if config.sequence else forecast_mask(len(frames), config.input_length, config.total_length)
    return find_dynamics(forecaster, model.params, np.asarray(frames), mask, forcings, search.num_steps)


def _write(folder: pathlib.Path, analysis: Analysis, overwrite: bool) -> None:
    model, dynamics, fixed = analysis
    config = model.forecaster.config
    attrs = {"title": f"fixed points of {config.model_name}", "source": str(model.path)}
    points, portrait = (folder / name for name in FILES)
    with appearing(points, overwrite=overwrite) as temporary:
        label_fixed_points(fixed).assign_attrs(attrs).to_netcdf(temporary, engine="netcdf4")
    held = ", input held" if config.num_action_ch else ": dynamics without input"
    title = f"{config.model_name}{held}"
    save_png(plot_phase_portrait(dynamics.trajectories, fixed, title=title), portrait, overwrite=overwrite)
