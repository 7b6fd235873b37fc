"""`predjax train`: radar movies in; a trained model and its skill on held-out movies out."""

import datetime
import json
import pathlib
from concurrent import futures

from predjax import run_file
from predjax.commands import one_line_errors
from predjax.commands.train_flags import make_parser
from predjax.messages import show_wait

EXIT_CODES = {"SIGINT": 130, "SIGTERM": 143}
DRY_RUN = "dry run"
PATHS = ("train_data_paths", "valid_data_paths")
SCHEDULE = "schedule.png"


@one_line_errors
def main(arguments=None) -> int:
    """Runs the command. Errors: see `one_line_errors`."""
    parser = make_parser()
    options = run_file.parse(parser, arguments)
    asked = run_file.describe(parser, options)
    if options.list_models:
        from predjax.commands.models import describe_models

        print(describe_models())
        return 0
    with show_wait("starting"):
        from predjax.files import refuse_files
        from predjax.jobs import session
        from predjax.jobs.plan import make_plan

    if options.gen_frm_dir:
        refuse_files(options.gen_frm_dir, ("nowcast_*",), options.overwrite)
    if options.save_dir and not options.resume:
        run_file.refuse_given(options, options.save_dir)
    session.start(options.device)
    with session.processes(options.coordinator, options.num_processes, options.process_id) as chief:
        with show_wait("reading the data"):
            plan = make_plan(options)
        found = {name: plan.record["data"][name] for name in PATHS}
        asked |= {name: run_file.make_absolute(paths) for name, paths in found.items() if paths}
        trained = _train(options, plan, chief, asked) if options.is_training else None
    if trained is None:
        if chief and (path := run_file.find_own(plan.folder)):
            run_file.write(path, asked)
        return _verify(options, plan, plan.params, plan.origin) if chief else 0
    run, iteration, reason = trained
    return _finish(options, plan, run, iteration, reason) if chief else EXIT_CODES.get(reason, 0)


def _train(options, plan, chief: bool, asked: dict):
    """Trains; returns the run, the iteration at which it ended, and why. The chief of the processes writes."""
    with show_wait("compiling"):
        from predjax.training import loop

        run = _make_run(plan)
        if plan.resumed:
            state = run.restore(plan.resumed.arrays, plan.resumed.path)
            progress = loop.Progress(**plan.resumed.record["progress"])
        else:
            state, progress = run.init(plan.params), loop.Progress()
        update, cost = loop.estimate(run, state)
    if chief:
        _announce(run, plan, cost, int(state.step))
    if options.dry_run:
        return run, int(state.step), DRY_RUN
    if chief:
        _prepare_folder(plan, options.overwrite, asked)
    with futures.ThreadPoolExecutor(1) as pool:  # the first iteration need not wait for a picture
        drawn = pool.submit(_draw_schedule, plan) if chief else None
        state, reason = loop.train(run, state, update, progress)
    if drawn:
        drawn.result()
    return run, int(state.step), reason


def _make_run(plan):
    from predjax import parallel
    from predjax.jobs.data import find_cases, spread
    from predjax.models.forecaster import make_forecaster
    from predjax.radar.windows.batches import BatchSource
    from predjax.training.loop import Run
    from predjax.training.validation import read_parts

    data, length, size = plan.data, plan.model.total_length, plan.training.batch_size
    devices = parallel.choose_devices(plan.training.n_gpu)
    batches = BatchSource(data.sources, data.split.train, length, size, plan.data_config, plan.training.seed)
    windows = find_cases(data.sources, data.split.valid, length, plan.data_config)
    windows = spread(windows, plan.training.max_valid_cases)
    size = min(size, -(-max(1, len(windows)) // len(devices)) * len(devices))
    mine = parallel.find_place(), parallel.count_processes()
    valid = read_parts(data.sources, windows, length, plan.data_config.crop, size, *mine, batches.bad)
    forecaster = make_forecaster(plan.model, plan.training.execution)
    return Run(forecaster, batches, valid, plan.training, plan.sampling, plan.folder, plan.record, devices)


def _announce(run, plan, cost, first):
    from predjax import parallel

    config, count = plan.model, run.config.num_seeds
    height, width, channels = run.batches.frame_shape
    left = run.config.max_iterations - first
    duration = datetime.timedelta(seconds=round(left * cost.iteration_seconds))
    lines = {
        "model": f"{config.model_name}, {config.size_text}, patches of {config.patch_size}, "
        f"{cost.parameters:,} parameters" + (f", {count} networks at once" if count > 1 else ""),
        "data": f"{len(plan.data.sources)} sources in {plan.data.units}, frames {height}x{width}x{channels}, "
        f"{config.input_length or 'none'} observed -> {config.total_length - config.input_length} predicted",
        "held out": plan.data.split.rule,
        "scaling": str(config.scaling),
        "device": f"{parallel.describe(run.devices)}, batch {run.config.batch_size}, about "
        f"{cost.bytes / 2**20:,.0f} MB a device",
        "time": f"{cost.iteration_seconds:.2f} s an iteration, {left} iterations: about {duration} (compiled in "
        f"{cost.compile_seconds:.0f} s)",
        "folder": str(plan.folder),
    }
    print("\n".join(f"{name:10}{text}" for name, text in lines.items()), flush=True)


def _prepare_folder(plan, overwrite: bool, asked: dict) -> None:
    """Makes the folder of the run; removes what a run before this one left: only files that a run writes.

    `run.json` has the flags that were `asked` for, to repeat the run by, `config.json` what came of them and the data.
    """
    from predjax.checkpoint import best_path, list_steps

    folder = plan.folder
    if overwrite:
        for path in (*list_steps(folder), best_path(folder), folder / "log.jsonl", folder / SCHEDULE):
            path.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    (run_file.update if plan.resumed else run_file.write)(folder / run_file.NAME, asked)
    (folder / "config.json").write_text(json.dumps(plan.record, indent=1) + "\n")


def _draw_schedule(plan) -> None:
    """What the flags of scheduled sampling do: how likely an input is to be the true frame, over the iterations.

    Draws nothing where no input is drawn.
    """
    if plan.sampling.teacher_forcing != "scheduled" or plan.model.sequence or plan.model.model_name == "tidhy":
        return
    import jax
    import numpy as np

    from predjax.models.sampling import truth_probabilities
    from predjax.pictures.schedules import draw_schedules

    sampling, length, last = plan.sampling, plan.model.input_length, plan.training.max_iterations
    iterations = np.unique(np.linspace(1, last, min(last, 1000)).round())
    probabilities = jax.vmap(lambda n: truth_probabilities(n, sampling, length, plan.model.total_length))(iterations)
    name = ("reverse " if sampling.reverse_scheduled_sampling else "") + "scheduled sampling"
    draw_schedules(plan.folder / SCHEDULE, iterations, {name: np.asarray(probabilities)}, length, overwrite=True)


def _finish(options, plan, run, iteration, reason) -> int:
    """Curves, pictures and the table of held-out movies; the exit code."""
    if reason == DRY_RUN:
        return 0
    from predjax.nowcasts.model import load_model
    from predjax.pictures.curves import draw_losses
    from predjax.training.monitor import read_log

    records = read_log(run.folder / "log.jsonl")
    if records:
        draw_losses(run.folder / "losses.png", records, overwrite=True)
    if run.batches.bad and run.batches.bad.count:
        print(f"{run.batches.bad.count} windows could not be read and were skipped")
    if reason in EXIT_CODES:
        print(f"stopped by {reason} at iteration {iteration}; --resume goes on from {run.folder}")
        return EXIT_CODES[reason]
    if reason != "finished":
        print(f"stopped at iteration {iteration}: {reason}")
    model = load_model(run.folder)
    if options.visual:
        _draw_decoupling(options, run, model)
    code = _verify(options, plan, model.params, model.path)
    print(f"checkpoint {model.path}\nfolder     {run.folder}")
    return code


def _draw_decoupling(options, run, model):
    """Delta C against delta M of one held-out case."""
    import jax
    import numpy as np

    from predjax.models.sampling import forecast_mask
    from predjax.pictures.decoupling import draw_decoupling

    config = run.forecaster.config
    batch = run.valid_batches[0] if run.valid_batches else run.batches.batch(0)
    mask = forecast_mask(1, config.input_length, config.total_length)
    forcings = None if batch.forcings is None else batch.forcings[:1]
    increments = jax.jit(run.forecaster.increments)(model.params, batch.frames[:1], mask, forcings)
    # (steps, layers, batch, h, w, features) to (steps, layers, points, features)
    delta_c, delta_m = (np.asarray(p)[:, :, 0].reshape(*p.shape[:2], -1, p.shape[-1]) for p in increments)
    path = pathlib.Path(options.visual_path or run.folder / "visual") / "decoupling.png"
    draw_decoupling(path, delta_c, delta_m, overwrite=True)
    print(f"delta C against delta M: {path}")


def _verify(options, plan, params, path) -> int:
    """The table of the held-out movies, beside a baseline; frames where they are asked for."""
    from predjax.flags import parse_values
    from predjax.jobs.data import find_cases
    from predjax.jobs.export import export, report
    from predjax.models.forecaster import make_forecaster
    from predjax.nowcasts.baselines import Setting, list_usual, make_baselines
    from predjax.nowcasts.model import make_ensemble, make_nowcast
    from predjax.verification.cases import Cases, add_scoring, forecast_by
    from predjax.verification.verify import verify

    data, config, crop = plan.data, plan.model, plan.data_config.crop
    part = "test" if data.split.test else "valid"
    length, steps = config.input_length, config.total_length - config.input_length
    windows = find_cases(data.sources, getattr(data.split, part), config.total_length, plan.data_config, steps)
    if not windows:
        print(f"no skill table: {data.split.rule}")
        return 0
    cases = Cases(data.sources, windows, length, steps, crop, plan.data_config.on_bad_window)
    cases = add_scoring(cases, parse_values(float, options.thresholds or "", "thresholds"), scaling=config.scaling)
    forecaster = make_forecaster(config)
    if plan.training.num_seeds > 1:
        forecaster = make_ensemble(forecaster)
    setting = Setting(cases.units, plan.record["data"].get("regression"))
    nowcasts = {config.model_name: make_nowcast(forecaster, params)}
    nowcasts |= make_baselines(list_usual(sequence=config.sequence)[:1], setting)
    methods = {name: forecast_by(nowcast, cases) for name, nowcast in nowcasts.items()}
    print(f"\nverified on the {part} data" + (" (the model was chosen on them)" if part == "valid" else ""))
    print(report(verify(methods, cases), plan.folder, overwrite=True))
    if options.gen_frm_dir:
        print(export(methods, cases, options.gen_frm_dir, str(path), options.num_save_samples, options.overwrite))
    return 0
