"""`predjax evaluate`: the skill of a model or of the baselines, and its frames as files."""

import pathlib

from predjax.commands import one_line_errors, run_file
from predjax.commands.methods import BASELINES, USUAL, choose_names, find_methods, load, measure_part
from predjax.flags import Parser, add_flags
from predjax.messages import suggest
from predjax.radar.config import DataConfig


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
    default = ",".join(USUAL)
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
    if not options.checkpoint and not options.data_path:
        raise ValueError("evaluate needs --checkpoint, --data_path or both")
    if options.input_length is not None and options.input_length < 1:
        raise ValueError(f"input_length must be at least 1 frame, not {options.input_length}")
    for name in ("max_cases", "num_save_samples"):
        if getattr(options, name) < 0:
            raise ValueError(f"{name} must not be negative, got {getattr(options, name)}")
    if options.forecasts and (options.checkpoint or not options.data_path):
        raise ValueError("--forecasts needs --data_path, and excludes --checkpoint")
    for name in choose_names(options):
        if name not in BASELINES:
            raise ValueError(f"baseline {name!r} is not one of {', '.join(BASELINES)}{suggest(name, BASELINES)}")
    from predjax.commands import cluster, export, session, verify

    own = run_file.find_own(options.output) if options.output else None
    written = ("skill.*", "report.html", *([own.name] if own else []))
    outputs = (options.output, written), (options.export, ("nowcast_*",)), (options.latents, ("latents_*",))
    for folder, patterns in outputs:
        if folder:
            export.refuse_files(folder, patterns, options.overwrite)
    session.start(options.device)
    model, methods, cases, leaks = find_methods(options)
    if options.latents and (not model or model.forecaster.config.model_name != "tidhy"):
        name = model.forecaster.config.model_name if model else "a baseline"
        raise ValueError(f"{name} has no latents: --latents is for tidhy")

    if options.dask_scheduler:
        sums = cluster.map_parts(options.dask_scheduler, measure_part, options, verify.split(cases), "verifying")
        verification = verify.conclude(list(methods), cases, sums)
    else:
        verification = verify.verify(methods, cases)
    warnings = []
    if leaks:
        warnings.append(f"{leaks} of {len(cases.windows)} verified windows overlap the training data: no skill")
        verification.common.attrs["warning"] = warnings[0]
    if model:
        warnings += describe_other_sampling(model.record, cases)
    if "unreadable" in verification.common.attrs:
        warnings.append(verification.common.attrs["unreadable"])
    print(export.report(verification, options.output, options.overwrite))
    for warning in warnings:
        print(f"warning: {warning}")
    if options.output:
        path = pathlib.Path(options.output) / "report.html"
        export.write_page(path, verification, methods, cases, _facts(options, model), warnings, options.overwrite)
        print(f"report {path}")
    if own:
        run_file.write(own, run_file.describe(parser, options))
    if options.export:
        origin = f"{model.path.name}, SHA-256 {model.record['sha256']}" if model else ""
        count, layout = options.num_save_samples, options.format
        print(export.export(methods, cases, options.export, origin, count, options.overwrite, layout))
    if options.latents:
        from predjax.commands.latents import write_latents

        truths = options.modes, options.states
        print(write_latents(load(options.checkpoint, 0), cases, options.latents, *truths, options.overwrite))
    return 0


def describe_other_sampling(record: dict, cases) -> list[str]:
    """A warning for each source with another time step or pixel size than those that the model was trained on."""
    from predjax.radar.record import find_other_sampling, find_pixel

    sampling, found = record["data"].get("sampling", {}), []
    for movies in cases.sources:
        other = find_other_sampling(sampling, movies.attrs.get("step_seconds"), find_pixel(movies))
        if other:
            found.append(f"{movies.attrs['source']} has {other}")
    return found


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
