"""A trained model on the data that its training held out: scores, frames and pictures."""

import dataclasses
import pathlib
from typing import NamedTuple

import jax
import numpy as np

from predjax.jobs.data import find_cases
from predjax.jobs.evaluation_files import write_scores
from predjax.jobs.export import Export, export
from predjax.jobs.plan import TrainingPlan
from predjax.jobs.published import add_protocol
from predjax.jobs.train_options import DECOUPLING, TrainOptions
from predjax.models.abilities import make_increments
from predjax.models.sampling import forecast_mask
from predjax.nowcasts.baselines import Setting, list_usual, make_baselines
from predjax.nowcasts.model import TrainedModel, make_nowcast
from predjax.pictures.decoupling import draw_decoupling as draw
from predjax.radar.movies import is_series
from predjax.training.run import Run
from predjax.verification.cases import Cases, add_scoring, forecast_by
from predjax.verification.totals import Verification
from predjax.verification.verify import verify


class Verified(NamedTuple):
    """The scores of a model beside a baseline."""

    part: str  # of the data: "test", or "valid", on which the model was chosen
    verification: Verification
    table: str  # the scores as text
    exported: str  # a line about the frames that were written, or empty


def find_held_out(plan: TrainingPlan, options: TrainOptions) -> Cases | None:
    """Return the cases of the held-out data and how they are scored; None without data.

    Errors: ValueError, OSError, thresholds that tell nothing, weights of LPIPS without a protocol or that are missing.
    """
    data, config, crop = plan.data, plan.model, plan.data_config.crop
    length, steps = config.input_length, config.total_length - config.input_length
    periods = data.split.test or data.split.valid
    windows = find_cases(data.sources, periods, config.total_length, plan.data_config, steps)
    if not windows:
        return None
    cases = Cases(data.sources, windows, length, steps, crop, plan.data_config.on_bad_window)
    cases = add_scoring(cases, options.thresholds, scaling=config.scaling)
    published = dataclasses.replace(options.on_protocol, protocol=plan.record.get("protocol"))
    return add_protocol(cases, published, config.scaling, options.thresholds)


def verify_held_out(plan: TrainingPlan, options: TrainOptions, model: TrainedModel) -> Verified | None:
    """Score a model on the held-out data; write the scores, and frames where they are asked for. None without data."""
    data, config, cases = plan.data, plan.model, find_held_out(plan, options)
    if cases is None:
        return None
    nowcasts = {config.model_name: make_nowcast(model.forecaster, model.params)}
    setting = Setting(cases.units, plan.record["data"].get("regression"))
    nowcasts |= make_baselines(list_usual(sequence=config.sequence, series=is_series(data.sources[0])), setting)
    methods = {name: forecast_by(nowcast, cases) for name, nowcast in nowcasts.items()}
    verification = verify(methods, cases)
    verification.common.attrs["judged"] = config.model_name
    table, exported = write_scores(verification, plan.folder, overwrite=True), ""
    if options.gen_frm_dir:
        request = Export(options.gen_frm_dir, str(model.path), options.num_save_samples, options.overwrite)
        exported = export(methods, cases, request)
    return Verified("test" if data.split.test else "valid", verification, table, exported)


def draw_decoupling(run: Run, params: dict, folder: str | None) -> pathlib.Path:
    """Draw delta C against delta M of one held-out case; return the path of the picture."""
    config = run.forecaster.config
    batch = run.valid_batches[0] if run.valid_batches else run.batches.batch(0)
    mask = forecast_mask(1, config.input_length, config.total_length)
    forcings = None if batch.forcings is None else batch.forcings[:1]
    increments = jax.jit(make_increments(config))(params, batch.frames[:1], mask, forcings)
    # (steps, layers, batch, h, w, features) to (steps, layers, points, features)
    delta_c, delta_m = (np.asarray(p)[:, :, 0].reshape(*p.shape[:2], -1, p.shape[-1]) for p in increments)
    path = pathlib.Path(folder or run.folder / "visual") / DECOUPLING
    draw(path, delta_c, delta_m, overwrite=True)
    return path
