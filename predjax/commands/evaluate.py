"""`predjax evaluate`: the skill of a model or of the baselines, and its frames as files; `evaluate` is for Python."""

import logging
import numbers
import pathlib
from collections.abc import Sequence

from predjax import run_file
from predjax.commands import one_line_errors
from predjax.files import refuse_files
from predjax.flags import Parser, add_flags, from_dict
from predjax.jobs.measured import check_options, measure_skill
from predjax.jobs.methods import load
from predjax.messages import one_line_messages, show_wait
from predjax.nowcasts.baselines import BASELINES, list_usual
from predjax.radar.config import DataConfig

LOG = logging.getLogger("predjax")


def make_parser() -> Parser:
    parser = Parser(prog="predjax evaluate", description="Scores a trained model beside baselines; writes its frames.")
    add = parser.add_argument_group("evaluation").add_argument
    add(
        "--checkpoint",
        metavar="FILE|DIR",
        help="a checkpoint, or a run's folder: its best, else its latest one (default: baselines alone)",
    )
    run_file.add_config(add)
    add("--data_path", metavar="PATHS", help="files, folders, globs (default: what the run of --checkpoint held out)")
    add(
        "--forecasts",
        metavar="PATHS",
        help="netCDF forecasts of anybody; the observations are in --data_path (default: none)",
    )
    default = ",".join(list_usual())
    add("--baselines", metavar="NAMES", help=f"of {', '.join(BASELINES)} (default {default})")
    add(
        "--thresholds",
        metavar="X,X,...",
        help="event thresholds in the data's unit: dBZ, mm/h ... (default: usual ones)",
    )
    add("--windows", default="5,17", metavar="N,N,...", help="sides of the windows of the FSS in pixels (default 5,17)")
    add(
        "--num_steps",
        type=int,
        metavar="FRAMES",
        help="to forecast, also more than trained (default: as trained, or 12)",
    )
    add("--input_length", type=int, metavar="FRAMES", help="observed (default: the model's, or 4)")
    add(
        "--max_cases",
        type=int,
        default=0,
        metavar="N",
        help="windows to verify, evenly spread; 0 takes all (default 0)",
    )
    add(
        "--output",
        metavar="DIR",
        help="writes report.html, skill.nc, skill.json, skill.png, run.json (default: prints the table)",
    )
    add("--export", metavar="DIR", help="writes nowcast_INIT_TIME.nc, .npy, .png and .gif (default: none)")
    add(
        "--latents",
        metavar="DIR",
        help="of tidhy: writes latents_NUMBER.nc and .png of whole series, with modes and timescales (default: none)",
    )
    add(
        "--modes",
        default="",
        metavar="NAME",
        help="variable of the data with the true modes, for --latents (default: none)",
    )
    add(
        "--states",
        default="",
        metavar="NAME",
        help="variable of the data with the true states, for --latents (default: none)",
    )
    add("--format", default="cf", choices=("cf", "pysteps"), help="names in the netCDF of --export (default cf)")
    add("--num_save_samples", type=int, default=10, metavar="N", help="cases to export, evenly spread (default 10)")
    add("--overwrite", action="store_true", help="existing files may be replaced")
    add("--device", default="auto", metavar="NAME", help="cpu or cuda (default auto: what is there)")
    add(
        "--dask_scheduler",
        metavar="ADDRESS",
        help="tcp://host:port of a dask cluster whose workers see the same files (default: here)",
    )
    add_flags(parser, DataConfig, "data")
    return parser


@one_line_errors
def main(arguments=None) -> int:
    """Runs the command. Errors: see `one_line_errors`."""
    parser = make_parser()
    options = run_file.parse(parser, arguments)
    check_options(options)
    with show_wait("starting"):
        from predjax.jobs import export, session

    own = run_file.find_own(options.output) if options.output else None
    written = ("skill.*", "report.html", *([own.name] if own else []))
    outputs = (options.output, written), (options.export, ("nowcast_*",)), (options.latents, ("latents_*",))
    for folder, patterns in outputs:
        if folder:
            refuse_files(folder, patterns, options.overwrite)
    session.start(options.device)
    (model, methods, cases, _), verification, warnings = measure_skill(options)
    print(export.report(verification, options.output, options.overwrite))
    for warning in warnings:
        print(f"warning: {warning}")
    if options.output:
        path = pathlib.Path(options.output) / "report.html"
        with show_wait("drawing the report"):
            export.write_page(path, verification, methods, cases, _facts(options, model), warnings, options.overwrite)
        print(f"report {path}")
    if own:
        run_file.write(own, run_file.describe(parser, options))
    if options.export:
        origin = f"{model.path.name}, SHA-256 {model.record['sha256']}" if model else ""
        count, layout = options.num_save_samples, options.format
        print(export.export(methods, cases, options.export, origin, count, options.overwrite, layout))
    if options.latents:
        from predjax.jobs.latents import write_latents

        truths = options.modes, options.states
        print(write_latents(load(options.checkpoint, 0), cases, options.latents, *truths, options.overwrite))
    return 0


@one_line_messages()
def evaluate(
    checkpoint,
    data=None,
    *,
    baselines: Sequence[str] | None = None,
    thresholds: Sequence[float] = (),
    windows: Sequence[int] = (5, 17),
    num_steps: int | None = None,
    input_length: int | None = None,
    max_cases: int = 0,
    **reading,
):
    """The skill of a trained model beside baselines, or of baselines alone: what `predjax evaluate` has in skill.nc.

    Args:
      checkpoint: a file, or a run's folder; None for the baselines alone.
      data: what `predjax.read_movies` reads: files, folders and globs, datasets of xarray, or Movies; None: what the
        run held out.
      baselines: of BASELINES; None: persistence and extrapolation, where they are possible.
      thresholds: of events, in the unit of the data; none: the usual ones of the unit.
      windows: sides of the windows of the FSS in pixels.
      num_steps: frames to forecast; None: as trained, or 12.
      input_length: observed frames; None: as trained, or 4.
      max_cases: at most so many windows, evenly spread; 0: all.
      reading: fields of `DataConfig`, such as `crop`, `units` and `window_stride`, where it is not as in training.

    Returns:
      An xarray.Dataset of scores by `method` and `lead_time`, with intervals of the differences to persistence. Windows
      that overlap the training data, and the like, are said by its attribute `warning` and in the log.

    Raises:
      ValueError, OSError: one line: an argument that is not possible, data that do not go with the model or cannot be
        read.
    """
    from predjax.radar.formats.datasets import list_datasets
    from predjax.verification.skill import FILE_ATTRS

    options = make_parser().parse_args([])
    options.checkpoint, options.data_path = checkpoint, list_datasets(data) or data
    options.baselines = None if baselines is None else _as_text(baselines)
    options.thresholds, options.windows = _as_text(thresholds), _as_text(windows)
    for name, value in (("num_steps", num_steps), ("input_length", input_length), ("max_cases", max_cases)):
        if value is not None and not isinstance(value, numbers.Integral):
            raise ValueError(f"{name} must be a whole number, not {value!r}")
        setattr(options, name, value)
    try:
        config = from_dict(DataConfig, reading)
    except TypeError as error:
        raise ValueError(f"{', '.join(reading)}: a value is of the wrong kind ({error})") from None
    for name in reading:
        setattr(options, name, getattr(config, name))
    check_options(options)
    _, verification, warnings = measure_skill(options)
    for warning in warnings:
        LOG.warning("%s", warning)
    return verification.common.assign_attrs(FILE_ATTRS)


def _as_text(values) -> str:
    """Values as a flag has them."""
    return values if isinstance(values, str) else ",".join(map(str, values))


def _facts(options, model) -> dict[str, str]:
    """What the report says about where the forecasts come from."""
    if not model:
        return {"forecasts": options.forecasts or "baselines alone"}
    record, config = model.record, model.forecaster.config
    return {
        "model": f"{config.model_name}, {config.size_text}",
        "checkpoint": f"{model.path}, iteration {record['iteration']}, SHA-256 {record['sha256'][:16]}",
        "trained on": f"{record['data']['train_data_paths']}, in {record['data']['units']}",
        "split": record["data"]["rule"],
        "scaling": f"{config.scaling}",
    }
