"""Make data for training: radar movies, Moving MNIST, series of known systems, stress-strain paths."""

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from predjax.flags import REQUIRED, Group, Parser, flag, select
from predjax.messages import one_line
from predjax.synthetic.movie_file import MovieFile
from predjax.synthetic.moving_mnist import MovingMnistConfig, read_digits, write_moving_mnist
from predjax.synthetic.radar import RadarConfig
from predjax.synthetic.strain_paths import list_canonical
from predjax.synthetic.stress_strain import StressStrainConfig, write_stress_strain
from predjax.synthetic.systems import SYSTEMS

CONFIGS: dict[str, type] = {
    "radar": RadarConfig,
    "moving_mnist": MovingMnistConfig,
    "stress_strain": StressStrainConfig,
    **{name: system.config for name, system in SYSTEMS.items()},
}


@dataclasses.dataclass(frozen=True)
class PathFile(MovieFile):
    """A file of strain paths to write."""

    num_movies: int = flag(len(list_canonical()), "number of paths", metavar="N")
    seed: int = flag(0, "the same seed gives the same paths", metavar="N")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DigitFile(MovieFile):
    """A file of Moving MNIST to write, and the digits for it."""

    digits: str = flag(REQUIRED, ".npz with `digits`, or .npy: (N, 28, 28) uint8", metavar="FILE", kind="file")


FILES: dict[str, type[MovieFile]] = {"moving_mnist": DigitFile, "stress_strain": PathFile}  # the others: MovieFile


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, by default those of the process; return the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    values = make_parser().read(arguments)
    kind = values.pop("kind")
    file = FILES.get(kind, MovieFile)(**select(FILES.get(kind, MovieFile), values))
    try:
        config = CONFIGS[kind](**select(CONFIGS[kind], values))
        _write(kind, file, config, shlex.join(["python", "-m", "predjax.synthetic", *arguments]))
    except (ValueError, OSError) as error:
        print(f"predjax: {one_line(str(error))}", file=sys.stderr)
        return 2
    print(f"{file.output}: {file.num_movies} movies")
    return 0


def _write(kind: str, file: MovieFile, config: Any, history: str) -> None:
    """Write a file of one kind."""
    if isinstance(file, DigitFile):
        write_moving_mnist(file, read_digits(file.digits), config)
    elif kind == "stress_strain":
        write_stress_strain(file, config, history)
    elif kind == "radar":
        from predjax.synthetic.radar_files import write_radar_movies

        write_radar_movies(file, config, history)
    else:
        from predjax.synthetic.series_files import write_series

        write_series(file, config, history)


def make_parser() -> Parser:
    """Return the parser of the command, with a subcommand for each kind of data that accepts abbreviated flags."""
    parser = Parser(prog="python -m predjax.synthetic", description=__doc__)
    kinds = parser.add_subparsers(title="kinds", dest="kind", required=True)

    def add(kind: str, help: str, title: str) -> None:
        groups = Group("output", FILES.get(kind, MovieFile)), Group(title, CONFIGS[kind])
        kinds.add_parser(kind, help=help, flags=parser.flags, allow_abbrev=True).add_groups(groups)

    add("radar", "rain in a smooth flow, .nc or .npy", "movies")
    add("moving_mnist", "bouncing digits, .npz as PredRNN reads it", "movies")
    add("stress_strain", "paths of a composite of fibres in a matrix, .nc", "paths")
    for name, system in SYSTEMS.items():
        formats = ".nc" if system.input_name else ".nc or .npy"
        add(name, f"{system.title} series, {formats}", "series")
    return parser


if __name__ == "__main__":
    sys.exit(main())
