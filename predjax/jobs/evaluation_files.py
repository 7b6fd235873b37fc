"""The files of an evaluation: scores, a report of one HTML page, single cases, latent states."""

import pathlib
from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from predjax.jobs.cases import load
from predjax.jobs.evaluate import Evaluation
from predjax.jobs.export import Export, encode_case, export, forecast_case, name_case
from predjax.jobs.latents import write_latents
from predjax.jobs.options import EvaluationFiles
from predjax.messages import show_wait
from predjax.nowcasts.model import TrainedModel
from predjax.pictures.curves import draw_skill
from predjax.pictures.report.answer import format_answer
from predjax.pictures.report.protocol import PublishedTable
from predjax.pictures.report.write import Report, ReportCase, write_report
from predjax.radar.windows.index import Window
from predjax.verification.protocols.table import format_scores, tabulate
from predjax.verification.shown import choose_shown
from predjax.verification.skill import write_skill
from predjax.verification.table import format_table
from predjax.verification.totals import Verification

DESCRIBED = ("data", "cases", "movies", "blocks", "floor")  # attributes of a verification that the page shows


def write_files(evaluation: Evaluation, files: EvaluationFiles) -> Iterator[str]:
    """Write the wanted files; yield the table, the warnings, and a line for each kind of file that was written."""
    models, methods, cases, _ = evaluation.comparison
    model = next(iter(models.values()), None)
    yield write_scores(evaluation.verification, files.output, files.overwrite)
    yield from (f"warning: {warning}" for warning in evaluation.warnings)
    if files.output:
        path = pathlib.Path(files.output) / "report.html"
        write_page(path, evaluation, files.overwrite)
        yield f"report {path}"
    if files.export:
        origin = f"{model.path.name}, SHA-256 {model.record['sha256']}" if model else ""
        request = Export(files.export, origin, files.num_save_samples, files.overwrite, files.format)
        first = f"; .nc and .npy have the frames of {next(iter(models))}" if len(models) > 1 else ""
        yield f"{export(methods, cases, request, find_known(evaluation))}{first}"
    if files.latents and model:
        yield write_latents(load(model.path, 0), cases, files)


def find_known(evaluation: Evaluation) -> dict[Window, dict[str, np.ndarray]]:
    """Return the forecasts that the scoring has kept, by window.

    An ensemble that is the first method is left out, because only its mean was kept.
    """
    _, methods, cases, _ = evaluation.comparison
    verification, first = evaluation.verification, next(iter(methods))
    common = verification.common
    mean = {first} if "members" in common and int(common.members.sel({"method": first})) > 1 else set()
    return {
        cases.windows[number]: {name: frames for name, frames in kept.items() if name not in mean}
        for number, kept in verification.kept.items()
    }


def write_scores(verification: Verification, folder: str | pathlib.Path | None = None, overwrite: bool = False) -> str:
    """Return the scores of a verification as text; with a folder, write skill.nc, skill.json and skill.png there.

    The text is the table, then the scores of a protocol and the answer to "may I use it?" where there are some.
    """
    if folder:
        write_skill(folder, verification.common, overwrite, whole=verification.whole, protocol=verification.protocol)
        draw_skill(pathlib.Path(folder) / "skill.png", verification.common, overwrite=overwrite)
    table = format_table(verification.common, reference=verification.common.attrs.get("reference", ""))
    published = [] if verification.protocol is None else [format_scores(verification.protocol)]
    return "\n".join([table, *published, *format_answer(verification.common)])


def write_page(path: pathlib.Path, evaluation: Evaluation, overwrite: bool) -> None:
    """Write the report of an evaluation, with pictures of the best, the median and the worst case."""
    _, methods, cases, _ = evaluation.comparison
    verification = evaluation.verification
    common = verification.common
    unit, chosen = "" if cases.units == "1" else f" {cases.units}", []
    shown = choose_shown(verification.errors, verification.kept)
    for label, number in tqdm(shown, desc="drawing cases", unit="case", disable=None, leave=False):
        # Nothing is kept of what was forecast on a cluster.
        window, kept = cases.windows[number], verification.kept.get(number, {})
        case = forecast_case(methods, cases, window, known=kept)
        note = f"RMSE {verification.errors[number]:.3g}{unit} over all lead times"
        chosen.append(ReportCase(label, name_case(case), note, encode_case(case)))
    facts = _describe_origin(evaluation) | {name: str(common.attrs[name]) for name in DESCRIBED if name in common.attrs}
    facts |= {"units": cases.units, "events": str(common.attrs["event_rule"])}
    title = f"Skill of {', '.join(methods)}"
    published = verification.protocol
    protocol = None if published is None else PublishedTable(*tabulate(published))
    page = Report(title, facts, evaluation.warnings, common, verification.whole, chosen, protocol)
    with show_wait("drawing the report"):
        write_report(path, page, overwrite=overwrite)


def _describe_origin(evaluation: Evaluation) -> dict[str, str]:
    """Return facts for the report: which models, data and settings the forecasts come from."""
    models = evaluation.comparison.models
    if not models:
        return {"forecasts": evaluation.options.forecasts or "baselines alone"}
    if len(models) > 1:
        each = {name: f"{_describe_network(model)}, {_describe_checkpoint(model)}" for name, model in models.items()}
        return {**each, "cases shown": f"the best, the median and the worst of {next(iter(models))}"}
    [model] = models.values()
    data = model.record["data"]
    return {
        "model": _describe_network(model),
        "checkpoint": _describe_checkpoint(model),
        "trained on": f"{data['train_data_paths']}, in {data['units']}",
        "split": data["rule"],
        "scaling": f"{model.forecaster.config.scaling}",
    }


def _describe_network(model: TrainedModel) -> str:
    return f"{model.forecaster.config.model_name}, {model.forecaster.config.size_text}"


def _describe_checkpoint(model: TrainedModel) -> str:
    return f"{model.path}, iteration {model.record['iteration']}, SHA-256 {model.record['sha256'][:16]}"
