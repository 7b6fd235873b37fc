"""`predjax analyse`: the fixed points of a trained model of a series, and pictures of dynamics."""

import pathlib

from predjax import run_file
from predjax.commands import one_line_errors
from predjax.flags import Parser, add_flags
from predjax.radar.config import DataConfig


def make_parser() -> Parser:
    parser = Parser(
        prog="predjax analyse",
        description="Finds the fixed points of a trained model of a series, and draws its dynamics.",
    )
    add = parser.add_argument_group("model and output").add_argument
    add("--checkpoint", metavar="PATH", help="a run's folder, or one of its checkpoints (default: --gallery alone)")
    add("--data_path", default="", metavar="PATHS", help="series to start from (default: what the run held out)")
    add("--output", metavar="DIR", help="writes fixed_points.nc, portrait.png, run.json (default: prints alone)")
    add(
        "--gallery",
        metavar="FILE",
        help="draws a fixed point, a limit cycle and a strange attractor of small networks (default: none)",
    )
    run_file.add_config(add)
    add("--overwrite", action="store_true", help="existing files may be replaced")
    add("--device", default="auto", metavar="NAME", help="cpu or cuda (default auto: what is there)")
    add = parser.add_argument_group("search").add_argument
    add("--max_cases", type=int, default=8, metavar="N", help="windows to start from, evenly spread (default 8)")
    add("--num_steps", type=int, default=200, metavar="FRAMES", help="steps after each window (default 200)")
    add("--member", type=int, default=0, metavar="N", help="network, where num_seeds trained several (default 0)")
    add("--num_starts", type=int, default=1024, metavar="N", help="starts of the search for roots (default 1024)")
    add(
        "--spread", type=float, default=1.0, metavar="X", help="noise of the starts, in standard deviations (default 1)"
    )
    add("--seed", type=int, default=0, metavar="N", help="seed of the starts (default 0)")
    add_flags(parser, DataConfig, "data")
    parser.set_defaults(input_length=None, thresholds=None, windows="")
    return parser


@one_line_errors
def main(arguments=None) -> int:
    """Runs the command. Errors: see `one_line_errors`."""
    parser = make_parser()
    options = run_file.parse(parser, arguments)
    asked = run_file.describe(parser, options)
    if not options.checkpoint and not options.gallery:
        raise ValueError("analyse needs --checkpoint, --gallery or both")
    for name in ("max_cases", "num_steps", "num_starts"):
        if getattr(options, name) < 1:
            raise ValueError(f"{name} must be at least 1, not {getattr(options, name)}")
    from predjax.files import refuse_existing
    from predjax.jobs import session

    own = run_file.find_own(options.output) if options.output else None
    if own:
        refuse_existing(own, options.overwrite)
    if options.gallery:
        refuse_existing(pathlib.Path(options.gallery), options.overwrite)
    session.start(options.device)
    if options.gallery:
        _draw_gallery(options)
    if options.checkpoint:
        _analyse(options)
        if own:
            run_file.write(own, asked)
    return 0


def _draw_gallery(options) -> None:
    from predjax.analysis.fixed_points import find_fixed_points, sample_starts
    from predjax.analysis.gallery import make_gallery
    from predjax.pictures.figures import save_png
    from predjax.pictures.phase_portrait import plot_gallery

    exhibits = make_gallery(seed=options.seed)
    fixed = []
    for exhibit in exhibits:
        starts = sample_starts(exhibit.trajectories, options.num_starts, options.spread, options.seed)
        fixed.append(find_fixed_points(exhibit.step, starts))
        print(f"{exhibit.title}: {_describe(fixed[-1])}; Lyapunov exponent {exhibit.exponent:+.3f} per time constant")
    save_png(plot_gallery(exhibits, fixed), options.gallery, overwrite=options.overwrite)
    print(f"gallery {options.gallery}")


def _analyse(options) -> None:
    import numpy as np

    from predjax.analysis.fixed_points import find_fixed_points, sample_starts
    from predjax.files import refuse_files
    from predjax.jobs.methods import load
    from predjax.pictures.phase_portrait import draw_phase_portrait

    if options.output:
        refuse_files(options.output, ("fixed_points.nc", "portrait.png"), options.overwrite)
    model = load(options.checkpoint, options.member)
    dynamics = _find_dynamics(options, model)
    states = dynamics.trajectories.reshape(-1, dynamics.trajectories.shape[-1])
    extent = np.linalg.norm(states - states.mean(0), axis=1).max()
    starts = sample_starts(states, options.num_starts, 0.0, options.seed)
    noise = np.random.default_rng(options.seed).normal(size=starts.shape)
    starts += options.spread * states.std(0) * noise
    fixed = find_fixed_points(dynamics.step, starts, reach=max(extent, 1e-3))
    name = model.forecaster.config.model_name
    print(f"{name}: {states.shape[1]} state variables; {_describe(fixed)}")
    for number, (residual, values) in enumerate(zip(fixed.residuals[:20], fixed.eigenvalues)):
        largest = values[np.argsort(-np.abs(values), kind="stable")[:4]]
        shown = ", ".join(f"{abs(value):.4f}" for value in largest)
        print(f"  {number}: |F(h) - h| {residual:.1e}, largest |eigenvalues| {shown}")
    if options.output:
        folder = pathlib.Path(options.output)
        _write(folder / "fixed_points.nc", fixed, model, options.overwrite)
        title = (
            f"{name}: dynamics without input" if model.forecaster.config.num_action_ch == 0 else f"{name}, input held"
        )
        draw_phase_portrait(
            folder / "portrait.png", dynamics.trajectories, fixed, title=title, overwrite=options.overwrite
        )
        print(f"folder  {folder}")


def _describe(fixed) -> str:
    count, stable = len(fixed.points), int(fixed.stable.sum())
    worst = f", |F(h) - h| at most {fixed.residuals.max():.1e}" if count else ""
    return f"{count} fixed points, {stable} of them stable{worst}"


def _find_dynamics(options, model):
    """From the windows that end with the same forcings as the first."""
    import numpy as np

    from predjax.analysis.dynamics import find_dynamics
    from predjax.jobs.methods import choose_cases
    from predjax.models.sampling import forecast_mask
    from predjax.radar.windows.batches import read_windows

    config, num_steps = model.forecaster.config, options.num_steps
    options.num_steps = None  # windows are as long as in training
    cases, _ = choose_cases(options, model)
    batch = read_windows(cases.sources, cases.windows, config.total_length)
    frames, forcings = batch.frames, batch.forcings
    if forcings is not None:
        alike = (forcings[:, -1] == forcings[0, -1]).reshape(len(forcings), -1).all(1)
        frames, forcings = frames[alike], forcings[alike]
    mask = None if config.sequence else forecast_mask(len(frames), config.input_length, config.total_length)
    return find_dynamics(model.forecaster, model.params, np.asarray(frames), mask, forcings, num_steps)


def _write(path: pathlib.Path, fixed, model, overwrite: bool) -> None:
    import xarray as xr

    from predjax.files import appearing

    variables = {
        "points": (("point", "state"), fixed.points, {"long_name": "fixed points h = F(h)"}),
        "residual": ("point", fixed.residuals, {"long_name": "|F(h) - h|"}),
        "jacobian": (("point", "state", "by"), fixed.jacobians, {"long_name": "dF_state / dh_by"}),
        "eigenvalue_real": (("point", "mode"), fixed.eigenvalues.real, {"long_name": "real part of the eigenvalues"}),
        "eigenvalue_imag": (("point", "mode"), fixed.eigenvalues.imag, {"long_name": "their imaginary part"}),
        "stable": ("point", fixed.stable.astype("i1"), {"long_name": "1 where all |eigenvalues| < 1"}),
    }
    attrs = {"title": f"fixed points of {model.forecaster.config.model_name}", "source": str(model.path)}
    with appearing(path, overwrite=overwrite) as temporary:
        xr.Dataset(variables, attrs=attrs).to_netcdf(temporary, engine="netcdf4")
