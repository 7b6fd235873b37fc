"""`predjax export-weights`: write the weights of a trained model for others to use, without the state of training."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence

from predjax.commands import one_line_errors
from predjax.flags import REQUIRED, Command, Group, flag, parse
from predjax.paths import split_paths

FORMATS = (".npz", ".safetensors")


@dataclasses.dataclass(frozen=True)
class Flags:
    """The flags of the command: the weights to write, and the file to write them to."""

    checkpoint: str = flag(
        REQUIRED, "a checkpoint, or a run's folder: its best, else latest", metavar="FILE|DIR", kind="file"
    )
    output: str = flag(
        REQUIRED,
        "a checkpoint of predjax (.npz), or .safetensors (extra safetensors) with the configuration as metadata",
        metavar="FILE",
        kind="file",
    )
    overwrite: bool = flag(False, "the file may be replaced (default: it is kept)", switch=True)


COMMAND = Command(
    "predjax export-weights",
    "Writes the weights of a model and how to build it, without the state of the optimiser and without the folders of "
    "the training data: a checkpoint that forecasts and is trained further.",
    (Group("weights", Flags),),
)


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Errors: see `one_line_errors`."""
    options = Flags(**parse(COMMAND, arguments))
    path = pathlib.Path(options.output)
    if path.suffix not in FORMATS:
        raise ValueError(f"{path}: the name must end in {' or '.join(FORMATS)}")
    if path.exists() and not options.overwrite:
        raise FileExistsError(f"{path} exists: --overwrite replaces it")
    from predjax import checkpoint

    arrays, record = checkpoint.load(checkpoint.find(options.checkpoint))
    weights = {name: array for name, array in arrays.items() if name.startswith("params/")}
    record = _without_folders({key: value for key, value in record.items() if key not in ("sha256", "progress")})
    if path.suffix == ".npz":
        checkpoint.save(path, weights, record)
    else:
        _save_safetensors(path, weights, record)
    print(f"{path}: {sum(array.size for array in weights.values()):,} weights, {path.stat().st_size / 2**20:.1f} MB")
    return 0


def _without_folders(record: dict) -> dict:
    """Return the record of a run with the names of its data files alone, without their folders."""
    data = dict(record["data"])
    for key in ("train_data_paths", "valid_data_paths"):
        if data.get(key):
            data[key] = ",".join(pathlib.Path(part).name for part in split_paths(data[key]))
    return {**record, "data": data}


def _save_safetensors(path: pathlib.Path, weights: dict, record: dict) -> None:
    try:
        from safetensors.numpy import save
    except ImportError:
        raise ValueError("safetensors is not installed: pip install 'predjax[safetensors]'") from None
    from predjax.files import appearing

    content = save(weights, metadata={"predjax": json.dumps(record)})
    with appearing(path, overwrite=True) as temporary:
        temporary.write_bytes(content)
