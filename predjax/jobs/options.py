"""The options of the use cases: every field with a help text is a flag of the command, and a keyword in Python."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from predjax import run_file
from predjax.checkpoint_names import PRETRAINED_NAME
from predjax.flag_values import parse_values
from predjax.flags import REQUIRED, check_value, flag, list_flags
from predjax.messages import suggest
from predjax.models.config import ModelConfig
from predjax.nowcasts.baselines import BASELINES, check_baselines, list_usual
from predjax.nowcasts.config import EnsembleOptions
from predjax.radar.areas.config import AreaOptions, AreaScoringOptions
from predjax.radar.config import Trust
from predjax.verification.protocols.config import ProtocolOptions

Reading = tuple[tuple[str, Any], ...]  # the fields of `DataConfig` that were given, with their values
FORMATS = ("cf", "pysteps")
DTYPES = ("auto", "uint8", "uint16", "float32")
ON_BAD_FILE = ("stop", "skip")
FROM_FRAMES = [name for name, baseline in BASELINES.items() if not baseline.sequence]  # that go on from frames
CHECKPOINT = "a checkpoint, or a run's folder"
MOST_LISTED = 40  # names in a message
SCHEDULER = "tcp://host:port of a dask cluster whose workers see the same files (default: here)"


def _folder(help: str) -> Any:
    """Return the dataclass field of a folder to write into."""
    return flag(None, help, metavar="DIR", kind="folder", place=True)


def _overwrite(help: str = "existing files may be replaced") -> Any:
    return flag(False, help, switch=True, place=True)


@dataclasses.dataclass(frozen=True)
class RunFlags:
    """The flags of a command that are no options of its job."""

    config: str | None = run_file.config_flag()
    device: str = flag("auto", "cpu or cuda (default auto: what is there)", metavar="NAME")


@dataclasses.dataclass(frozen=True)
class EvaluateOptions:
    """The options of an evaluation: the methods to compare, and the cases.

    `checkpoint` may also be a tuple of paths; `data_path` anything that `radar.readers.read_movies` takes: Datasets, or
    an array with `layout` ...

    Errors: ValueError, a value that is not possible, or values that exclude each other.
    """

    checkpoint: str | tuple[str, ...] | None = flag(
        None,
        f"{CHECKPOINT}: its best, else its latest one; or several, commas between them (default: baselines alone)",
        metavar="FILE|DIR,...",
        kind="paths",
        once=True,
    )
    data_path: str | None = flag(
        None, "files, folders, globs (default: what the run of --checkpoint held out)", metavar="PATHS", kind="paths"
    )
    forecasts: str | None = flag(
        None,
        "forecasts from elsewhere; the observations are in --data_path (default: none)",
        metavar="PATHS",
        kind="paths",
    )
    first_lead: float | None = flag(
        None,
        "from the init time to the first frame, for --forecasts without an init time (default: they need one)",
        metavar="MINUTES",
    )
    baselines: tuple[str, ...] | None = flag(
        None, f"of {', '.join(BASELINES)} (default {','.join(list_usual())})", metavar="NAMES"
    )
    reference: str | None = flag(
        None,
        "method that skill and differences refer to (default extrapolation, else persistence)",
        metavar="NAME",
    )
    members: int = flag(1, "members that the network of --checkpoint draws, or that are drawn around it", metavar="N")
    steps_members: int = flag(24, "members of the baselines that are ensembles", metavar="N")
    seed: int = flag(0, "seed of the members", metavar="N")
    thresholds: tuple[float, ...] = flag(
        (), "event thresholds in the data's unit: dBZ, mm/h ... (default: usual ones)", metavar="X,X,..."
    )
    windows: tuple[int, ...] = flag((5, 17), "sides of the windows of the FSS in pixels", metavar="N,N,...")
    num_steps: int | None = flag(
        None, "to forecast, also more than trained (default: as trained, or 12)", metavar="FRAMES"
    )
    input_length: int | None = flag(None, "observed (default: the model's, or 4)", metavar="FRAMES")
    max_cases: int = flag(0, "windows to verify, evenly spread; 0 takes all", metavar="N")
    dask_scheduler: str | None = flag(None, SCHEDULER, metavar="ADDRESS", place=True, typed=True)
    on_areas: AreaScoringOptions = dataclasses.field(default_factory=AreaScoringOptions)
    on_protocol: ProtocolOptions = dataclasses.field(default_factory=ProtocolOptions)
    reading: Reading = ()

    def __post_init__(self) -> None:
        if self.checkpoint == ():
            raise ValueError("checkpoint is an empty list: None evaluates the baselines alone")
        if not self.checkpoint and self.data is None:
            raise ValueError("evaluate needs --checkpoint, --data_path or both")
        if self.forecasts and (self.checkpoint or self.data is None):
            raise ValueError("--forecasts needs --data_path, and excludes --checkpoint")
        if self.first_lead is not None and not (self.forecasts and self.first_lead >= 0):
            raise ValueError(f"first_lead {self.first_lead:g} must be 0 or more minutes, and is for --forecasts alone")
        if self.dask_scheduler and not isinstance(self.data_path, str | None):
            raise ValueError("dask_scheduler needs data that the workers can read: paths, as text")
        if self.input_length is not None and self.input_length < 1:
            raise ValueError(f"input_length must be at least 1 frame, not {self.input_length}")
        _refuse_negative(self, "max_cases")
        _refuse_negative(self, "seed")
        if self.members < 1 or (self.members > 1 and not self.checkpoint):
            raise ValueError(f"members must be at least 1, and more than 1 needs --checkpoint, not {self.members}")
        if self.steps_members < 2:
            raise ValueError(f"steps_members must be at least 2, not {self.steps_members}")
        check_baselines(self.baselines or ())

    @property
    def data(self) -> Any:
        """The data for `read_movies`; None for the data that the run of the model held out."""
        return None if isinstance(self.data_path, str) and not self.data_path else self.data_path


@dataclasses.dataclass(frozen=True)
class EvaluationFiles:
    """The files that an evaluation writes. Errors: ValueError, a negative number of cases, a flag without another."""

    output: str | None = _folder(
        "writes report.html, skill.nc, skill.json, skill.png, run.json (default: prints the table)"
    )
    export: str | None = _folder("writes nowcast_INIT_TIME.nc, .npy, .png and .gif (default: none)")
    latents: str | None = _folder(
        "of tidhy: writes latents_NUMBER.nc and .png of whole series, with modes and timescales (default: none)"
    )
    modes: str = flag("", "variable of the data with the true modes, for --latents (default: none)", metavar="NAME")
    states: str = flag("", "variable of the data with the true states, for --latents (default: none)", metavar="NAME")
    format: str = flag("cf", "names in the netCDF of --export", choices=FORMATS)
    num_save_samples: int = flag(10, "cases to export, evenly spread", metavar="N")
    overwrite: bool = _overwrite()

    def __post_init__(self) -> None:
        _refuse_negative(self, "num_save_samples")
        for name in ("modes", "states"):
            if getattr(self, name) and not self.latents:
                raise ValueError(f"--{name} needs --latents")


@dataclasses.dataclass(frozen=True)
class ForecastOptions:
    """The options of a forecast from the newest frames. `data_path` may also be Datasets, DataArrays or Movies."""

    checkpoint: str = flag(
        REQUIRED,
        f"{CHECKPOINT}, or a baseline: {', '.join(FROM_FRAMES)}",
        metavar="FILE|DIR|NAME",
        kind="file",
        completed=(PRETRAINED_NAME, *FROM_FRAMES),
    )
    data_path: str = flag(REQUIRED, "files, folders, globs in which frames arrive", metavar="PATHS", kind="paths")
    lead_time: float | None = flag(
        None, "to forecast, a multiple of the time step (default: --num_steps)", metavar="MINUTES"
    )
    num_steps: int | None = flag(None, "to forecast (default: as trained, or 12)", metavar="FRAMES")
    max_age: float | None = flag(None, "refuses newest frames that are older (default: takes any)", metavar="MINUTES")
    any_step: bool = flag(False, "takes another time step or pixel size than in training", switch=True)
    ensemble: EnsembleOptions = dataclasses.field(default_factory=EnsembleOptions)
    trust: Trust = dataclasses.field(default_factory=Trust)
    on_areas: AreaOptions = dataclasses.field(default_factory=AreaOptions)
    reading: Reading = ()


@dataclasses.dataclass(frozen=True)
class ForecastFiles:
    """The files of a forecast."""

    output: str = flag(
        REQUIRED, "netCDF file to write; with --watch a folder for many", metavar="FILE.nc|DIR", kind="file", place=True
    )
    format: str = flag(
        "cf",
        "names in the netCDF; geotiff: cf, and beside it a .tif of each variable",
        choices=(*FORMATS, "geotiff"),
    )
    per_lead: bool = flag(False, "also a file for each lead time, as MET reads them", switch=True)
    pictures: bool = flag(False, "also a strip of maps (.png) and an animation (.gif)", switch=True)
    overwrite: bool = _overwrite()


@dataclasses.dataclass(frozen=True)
class AnalyseOptions:
    """The options of an analysis: the model to analyse, and the files to write."""

    checkpoint: str | None = flag(
        None, "a run's folder, or one of its checkpoints (default: --gallery alone)", metavar="PATH", kind="file"
    )
    data_path: str = flag("", "series to start from (default: what the run held out)", metavar="PATHS", kind="paths")
    output: str | None = _folder("writes fixed_points.nc, portrait.png, run.json (default: only prints)")
    gallery: str | None = flag(
        None,
        "draws a fixed point, a limit cycle and a strange attractor of small networks (default: none)",
        metavar="FILE",
        kind="file",
        place=True,
    )
    overwrite: bool = _overwrite()
    reading: Reading = ()

    def __post_init__(self) -> None:
        if not self.checkpoint and not self.gallery:
            raise ValueError("analyse needs --checkpoint, --gallery or both")


@dataclasses.dataclass(frozen=True)
class SearchOptions:
    """The starts of the search for fixed points. Errors: ValueError for a count below 1."""

    max_cases: int = flag(8, "windows to start from, evenly spread", metavar="N")
    num_steps: int = flag(200, "steps after each window", metavar="FRAMES")
    member: int = flag(0, "network, where num_seeds trained several", metavar="N")
    num_starts: int = flag(1024, "starts of the search for roots", metavar="N")
    spread: float = flag(1.0, "noise of the starts, in standard deviations", metavar="X")
    seed: int = flag(0, "seed of the starts", metavar="N")

    def __post_init__(self) -> None:
        for name in ("max_cases", "num_steps", "num_starts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")


@dataclasses.dataclass(frozen=True)
class InspectOptions:
    """The length of the windows that are counted, and the picture. Errors: ValueError for a length below 1."""

    total_length: int = flag(ModelConfig.total_length, "observed and predicted frames of a window", metavar="FRAMES")
    picture: str | None = flag(
        None,
        "draws the frame with the highest mean of the first source, with its axes (default: no picture)",
        metavar="FILE.png",
        kind="file",
        place=True,
    )
    overwrite: bool = _overwrite("an existing picture may be replaced")

    def __post_init__(self) -> None:
        if self.total_length < 1:
            raise ValueError(f"total_length must be at least 1 frame, not {self.total_length}")


@dataclasses.dataclass(frozen=True)
class PrepareOptions:
    """The archive that becomes a store, and how the store keeps frames."""

    data_path: str = flag(REQUIRED, "files, folders, globs; commas between them", metavar="PATHS", kind="paths")
    output: str = flag(REQUIRED, "folder to make", metavar="STORE", kind="folder", place=True)
    overwrite: bool = _overwrite("replace a store, or start one anew that is not finished")
    dtype: str = flag(
        "auto",
        "auto keeps the integers of the files where they have one meaning, else dBZ and mm/h become uint16 (by "
        "0.005 dB; by 0.001 mm/h up to 20, by 0.01 up to 220), and the rest float32 (default auto)",
        choices=DTYPES,
    )
    wet_threshold: float | None = flag(
        None, "a pixel is wet from X on, in the data's unit (default: 0.1 mm/h or 10 dBZ)", metavar="X", finite=False
    )
    on_bad_file: str = flag("stop", "on damaged files: stop, or leave them out and list them", choices=ON_BAD_FILE)
    dask_scheduler: str | None = flag(None, SCHEDULER, metavar="ADDRESS", place=True, typed=True)
    reading: Reading = ()


def read_keywords(function: str, classes: Sequence[type], keywords: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Sort the keywords of a Python function by the classes that have them as flags.

    Several values may also be text as on the command line.

    Errors: ValueError for a keyword that no class has, with those that exist, or a value of another type.
    """
    flags = [{flag.name: flag for flag in list_flags(one)} for one in classes]
    known = {name: flag for part in flags for name, flag in part.items()}
    unknown = [name for name in keywords if name not in known]
    if unknown:
        listed = f"; it has {', '.join(known)}" if len(known) <= MOST_LISTED else ""
        raise ValueError(f"{function} has no {', '.join(unknown)}{listed}{suggest(unknown[0], known)}")
    values = {}
    for name, value in keywords.items():
        if known[name].is_tuple and isinstance(value, Iterable):
            element = known[name].element
            value = parse_values(element, value, name) if isinstance(value, str) else tuple(value)
        values[name] = check_value(known[name], value)
    return [{name: values[name] for name in part if name in values} for part in flags]


def _refuse_negative(options: Any, name: str) -> None:
    if getattr(options, name) < 0:
        raise ValueError(f"{name} must not be negative, got {getattr(options, name)}")
