"""From the options of an evaluation to its scores: what the command and `predjax.evaluate` share."""

from predjax.jobs.methods import find_methods, measure_part, parse_baselines
from predjax.messages import show_wait
from predjax.nowcasts.baselines import check_baselines


def check_options(options) -> None:
    """Errors: ValueError for what can be told of options before anything is read."""
    if not options.checkpoint and not options.data_path:
        raise ValueError("evaluate needs --checkpoint, --data_path or both")
    if options.input_length is not None and options.input_length < 1:
        raise ValueError(f"input_length must be at least 1 frame, not {options.input_length}")
    for name in ("max_cases", "num_save_samples"):
        if getattr(options, name) < 0:
            raise ValueError(f"{name} must not be negative, got {getattr(options, name)}")
    if options.forecasts and (options.checkpoint or not options.data_path):
        raise ValueError("--forecasts needs --data_path, and excludes --checkpoint")
    check_baselines(parse_baselines(options) or ())


def measure_skill(options):
    """The `methods.Compared`, its `totals.Verification`, and warnings, a line each. Errors: ValueError, OSError."""
    from predjax.jobs import cluster
    from predjax.verification.cases import split
    from predjax.verification.totals import Totals
    from predjax.verification.verify import verify

    with show_wait("reading the data"):
        compared = find_methods(options)
    model, methods, cases, leaks = compared
    if options.dask_scheduler:
        parts = cluster.map_parts(options.dask_scheduler, measure_part, options, split(cases), "verifying")
        verification = sum(parts, Totals()).skill(cases)
    else:
        verification = verify(methods, cases)
    warnings = []
    if leaks:
        warnings.append(f"{leaks} of {len(cases.windows)} verified windows overlap the training data: no skill")
    if model:
        warnings += describe_other_sampling(model.record, cases)
    if warnings:
        verification.common.attrs["warning"] = "; ".join(warnings)
    if "unreadable" in verification.common.attrs:
        warnings.append(verification.common.attrs["unreadable"])
    return compared, verification, warnings


def describe_other_sampling(record: dict, cases) -> list[str]:
    """A warning for each source with another time step or pixel size than those that the model was trained on."""
    from predjax.radar.grid import Grid
    from predjax.radar.windows.provenance import find_other_sampling

    sampling, found = record["data"].get("sampling", {}), []
    for movies in cases.sources:
        other = find_other_sampling(sampling, movies.attrs.get("step_seconds"), Grid.of(movies).pixel_size)
        if other:
            found.append(f"{movies.attrs['source']} has {other}")
    return found
