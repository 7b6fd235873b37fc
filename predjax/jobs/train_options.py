"""The options of a training and the values that are given for its configurations. Imports no array library."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from predjax.flags import flag, select
from predjax.jobs.options import read_keywords
from predjax.jobs.recipes import read_recipe
from predjax.models.config import ModelConfig, SamplingConfig, order_options
from predjax.models.scaling import KINDS
from predjax.paths import expand_home, join_absolute
from predjax.radar.config import DataConfig
from predjax.training.config import TrainConfig
from predjax.verification.protocols.config import ProtocolOptions


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """The options of a training: its folder, its start, and its products at the end.

    Errors: ValueError for options that exclude each other.
    """

    recipe: str | None = flag(
        None, "published setting; typed flags win; predjax recipes lists them (default: none)", metavar="NAME"
    )
    save_dir: str | None = flag(
        None, "checkpoints and results (default: runs/MODEL-UTC_TIME)", metavar="DIR", kind="folder", place=True
    )
    resume: bool = flag(False, "go on from the latest checkpoint of --save_dir", switch=True, place=True)
    overwrite: bool = flag(False, "replace the run that --save_dir holds", switch=True, place=True)
    pretrained_model: str | None = flag(
        None,
        "weights to start from: a checkpoint, or a PyTorch PredRNN's .ckpt (default: new ones)",
        metavar="FILE",
        kind="file",
    )
    init_from: str | None = flag(
        None,
        "a checkpoint whose weights a new network takes where names and shapes agree; says which (default: none)",
        metavar="FILE",
        kind="file",
    )
    is_training: bool = flag(True, "0: only verify --pretrained_model", metavar="0|1")
    dry_run: bool = flag(False, "print size, memory and time of the run, and stop", switch=True, place=True)
    find_learning_rate: str | None = flag(
        None,
        "make 100 updates with a rising rate, print a table, draw it to FILE (.png), and stop (default: train)",
        metavar="FILE",
        kind="file",
        place=True,
    )
    profile: str | None = flag(
        None,
        "trace of iterations 3 to 7, for XProf or Perfetto (default: none)",
        metavar="DIR",
        kind="folder",
        place=True,
    )
    gen_frm_dir: str | None = flag(
        None,
        "frames of held-out cases at the end: .nc, .npy, .png, .gif (default: none)",
        metavar="DIR",
        kind="folder",
        place=True,
    )
    num_save_samples: int = flag(10, "cases of --gen_frm_dir", metavar="N")
    visual: bool = flag(False, "1: draw delta C against delta M", metavar="0|1")
    visual_path: str | None = flag(
        None, "folder of --visual (default: SAVE_DIR/visual)", metavar="DIR", kind="folder", place=True
    )
    scaling: str = flag(
        "auto", "from frames to the network's numbers (default auto: by the data's unit)", choices=("auto", *KINDS)
    )
    scaling_range: tuple[float, ...] = flag(
        (), "values in the data's unit that become 0 and 1 (default: by the unit)", metavar="LOW,HIGH"
    )
    forcing_scaling: str = flag(
        "auto", "auto: mean 0, standard deviation 1, but not of physical", choices=("auto", "none")
    )
    thresholds: tuple[float, ...] = flag(
        (),
        "event thresholds of the final table, in the data's unit: dBZ, mm/h ... (default: usual ones)",
        metavar="X,X,...",
    )
    num_layers: int | None = flag(None, "checked against num_hidden (default: not)", metavar="N")
    on_protocol: ProtocolOptions = dataclasses.field(default_factory=ProtocolOptions)

    def __post_init__(self) -> None:
        if self.resume and self.overwrite:
            raise ValueError("--resume and --overwrite exclude each other")
        if self.resume and not self.save_dir:
            raise ValueError("--resume needs --save_dir")
        if self.init_from and self.pretrained_model:
            raise ValueError("init_from is for another architecture, pretrained_model for the same: give one of them")
        if self.find_learning_rate and (self.resume or not self.is_training):
            raise ValueError("find_learning_rate is of a new run: no --resume, no is_training 0")
        if self.num_save_samples < 0:
            raise ValueError(f"num_save_samples must not be negative, got {self.num_save_samples}")
        if not self.is_training and not self.pretrained_model:
            raise ValueError("is_training 0 needs --pretrained_model")
        if not self.is_training and self.resume:
            raise ValueError("is_training 0 goes on with no run: no --resume")

    @property
    def only_tries(self) -> bool:
        """Whether the run only tries something: it makes no folder and keeps nothing."""
        return self.dry_run or self.find_learning_rate is not None


IN_MEMORY = "data in memory"
DECOUPLING = "decoupling.png"  # the picture of `visual`
CONFIGURATIONS = (ModelConfig, TrainConfig, SamplingConfig, DataConfig)


class Given(NamedTuple):
    """The values that were given for each configuration, by the names of its fields.

    A value that is not given comes from the checkpoint that is resumed or fine-tuned, else from the data, else it is
    the default.
    """

    model: Mapping[str, Any] = {}
    training: Mapping[str, Any] = {}
    sampling: Mapping[str, Any] = {}
    data: Mapping[str, Any] = {}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Given":
        """Group values by their configuration."""
        options = {name: order_options(values[name], name) for name in ("cell_options", "lr_options") if name in values}
        values = {**values, **options}
        model = select(ModelConfig, values)
        return cls(model, *(select(config, values) for config in CONFIGURATIONS[1:]))


class Processes(NamedTuple):
    """Processes that train together: the address of the first one, their number, and the number of this one.

    What is None comes from `srun` or `mpirun`.
    """

    coordinator: str | None = None
    num_processes: int | None = None
    process_id: int | None = None


class TrainRequest(NamedTuple):
    """A request to train."""

    data: Any = None  # the data for `read_movies`; None: the data of the resumed run, else the sample movies
    valid_data: Any = None  # the same for validation; None: parts of `data` are held out
    options: TrainOptions = TrainOptions()
    given: Given = Given()
    loss: Callable | None = None  # the user's own, see `train`; None: the loss of the configurations
    optimizer: Any = None  # the user's own; None: the optimizer of the configurations
    schedule: Callable | None = None  # the user's own learning rate by iterations; None: that of the configurations
    callbacks: Sequence[Callable] = ()  # see `predjax.training.callbacks`
    processes: Processes | None = None  # to join; None: this process trains alone
    verified: bool = True  # whether the model is scored on the held-out data at the end


def read_values(values: Mapping[str, Any]) -> tuple[TrainOptions, Given]:
    """Split keyword values into the options and the fields of the configurations.

    Errors: ValueError, an unknown name, or a value of another type.
    """
    if values.get("recipe"):
        values = {**read_recipe(values["recipe"]), **values}
    options, protocol, *parts = read_keywords("train", (TrainOptions, ProtocolOptions, *CONFIGURATIONS), values)
    return TrainOptions(**options, on_protocol=ProtocolOptions(**protocol)), Given.of(
        {name: value for part in parts for name, value in part.items()}
    )


def describe_paths(data: Any) -> str:
    """Return data as a checkpoint names them: absolute paths with commas between them, or that they were in memory."""
    if isinstance(data, str | os.PathLike):
        return join_absolute(data)
    if isinstance(data, list | tuple) and all(isinstance(one, str | os.PathLike) for one in data):
        return ",".join(os.path.abspath(expand_home(one)) for one in data)
    return IN_MEMORY
