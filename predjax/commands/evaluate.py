"""`predjax evaluate`: the skill of a model or of the baselines, and its frames as files."""

import logging

from predjax.commands import Parser, one_line_errors
from predjax.flags import add_flags, from_dict, parse_values, typed
from predjax.radar.config import DataConfig

LOG = logging.getLogger("predjax")
BASELINES = ("persistence",)


def _parser() -> Parser:
    parser = Parser(prog="predjax evaluate", description="Scores a trained model beside baselines; writes its frames.")
    add = parser.add_argument_group("evaluation").add_argument
    add(
        "--checkpoint",
        metavar="FILE|DIR",
        help="a checkpoint, or a run's folder (its best, else its latest checkpoint)",
    )
    add("--data_path", metavar="PATHS", help="files, folders, globs; without it the run's own held-out data")
    add("--baselines", default="persistence", metavar="NAMES", help=f"of {', '.join(BASELINES)} (default persistence)")
    add("--thresholds", metavar="X,X,...", help="event thresholds in the unit of the data (default: usual ones)")
    add(
        "--num_steps", type=int, metavar="N", help="forecast frames, also beyond the trained ones (default: as trained)"
    )
    add("--input_length", type=int, metavar="N", help="observed frames (default: the model's, or 4)")
    add("--max_cases", type=int, default=0, metavar="N", help="at most so many windows, evenly spread; 0 takes all")
    add("--output", metavar="DIR", help="writes skill.nc, skill.json and skill.png")
    add("--export", metavar="DIR", help="writes nowcast_<init time>.nc, .npy, .png and .gif")
    add("--num_save_samples", type=int, default=10, metavar="N", help="cases to export, evenly spread (default 10)")
    add("--overwrite", action="store_true", help="existing files may be replaced")
    add("--device", default="auto", metavar="NAME", help="cpu or cuda (default: what is there)")
    add_flags(parser, DataConfig, "data")
    return parser


@one_line_errors
def main(arguments=None) -> int:
    """Runs the command. Errors: see `one_line_errors`."""
    options = _parser().parse_args(arguments)
    if not options.checkpoint and not options.data_path:
        raise ValueError("evaluate needs --checkpoint, --data_path or both")
    baselines = parse_baselines(options.baselines)
    from predjax.commands import session, verify

    for folder, patterns in ((options.output, ("skill.*",)), (options.export, ("nowcast_*",))):
        if folder:
            verify.refuse_files(folder, patterns, options.overwrite)
    session.start(options.device)
    model = _load(options.checkpoint)
    cases, leaks = _choose_cases(options, model)
    nowcasts = {**_model_nowcasts(model), **baselines}
    if not nowcasts:
        raise ValueError("nothing to evaluate: give --checkpoint or --baselines")

    comparison = verify.verify(nowcasts, cases)
    if leaks:
        comparison.attrs["leak"] = (
            f"{leaks} of {len(cases.windows)} verified windows overlap the training data: their scores are no skill"
        )
    print(verify.report(comparison, options.output, options.overwrite))
    if leaks:
        print(f"warning: {comparison.attrs['leak']}")
    if options.export:
        origin = f"{model.path.name}, SHA-256 {model.record['sha256']}" if model else ""
        print(verify.export(nowcasts, cases, options.export, origin, options.num_save_samples, options.overwrite))
    return 0


def parse_baselines(text):
    from predjax.nowcasts.persistence import persist

    known = {"persistence": lambda observed, num_steps, forcings=None: persist(observed, num_steps)}
    names = parse_values(str, text)
    for name in names:
        if name not in known:
            raise ValueError(f"baseline {name!r} is not one of {', '.join(known)}")
    return {name: known[name] for name in names}


def _load(path):
    if not path:
        return None
    from predjax.nowcasts.model import load_model

    model = load_model(path)
    LOG.info("model %s from %s", model.forecaster.config.model_name, model.path)
    return model


def _model_nowcasts(model):
    if model is None:
        return {}
    from predjax.nowcasts.model import make_nowcast

    return {model.forecaster.config.model_name: make_nowcast(model.forecaster, model.params)}


def _choose_cases(options, model):
    """The cases to verify, and how many of them overlap what the model was trained on."""
    from predjax.commands.data import find_cases, read_sources, spread
    from predjax.commands.verify import make_cases
    from predjax.radar.record import count_overlaps, restore_periods
    from predjax.radar.windows import find_periods

    record, config = (model.record["data"], model.forecaster.config) if model else ({}, None)
    given = typed(DataConfig, options)
    data = from_dict(DataConfig, {**record.get("config", {}), "crop": 0, **given})
    input_length = options.input_length or (config.input_length if config else 4)
    num_steps = options.num_steps or (config.total_length - config.input_length if config else 12)
    if input_length < 1 or num_steps < 1:
        raise ValueError(f"input_length and num_steps must be positive, got {input_length} and {num_steps}")
    if options.data_path:
        sources = read_sources(options.data_path, data)
        periods = find_periods(sources)
    else:
        part = "test" if record["test"] else "valid"
        sources = read_sources(record["train_data_paths"], data)
        if record["valid_data_paths"]:
            sources += read_sources(record["valid_data_paths"], data)
        periods = restore_periods(sources, record[part])
        LOG.info("the run's %s data: %s", part, record["rule"])
    if config:
        _check_fits(sources[0], config)
    length = input_length + num_steps
    windows = find_cases(sources, periods, length, data, given.get("window_stride", num_steps))
    if not windows:
        longest = max((p.stop - p.start for p in periods), default=0)
        raise ValueError(
            f"{sources[0].attrs['source']}: no window of {input_length} observed and {num_steps} forecast frames, the "
            f"longest run has {longest} frames"
        )
    if options.max_cases:
        windows = spread(windows, options.max_cases)
    leaks = count_overlaps(sources, windows, length, record["train"]) if record else 0
    return make_cases(sources, windows, config, input_length, num_steps, data.crop, options.thresholds), leaks


def _check_fits(movies, config):
    source, units, channels = movies.attrs["source"], movies.frames.attrs["units"], movies.sizes["channel"]
    if units != config.scaling.units:
        raise ValueError(f"{source} is in {units}, the model was trained on {config.scaling.units}: give --units")
    if channels != config.img_channel:
        raise ValueError(f"{source} has {channels} channels, the model was trained on {config.img_channel}")
