"""Makes data to train on: radar movies, Moving MNIST, series of known systems, stress-strain paths."""

import dataclasses
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from predjax.flags import REQUIRED, Group, Parser, flag, select
from predjax.messages import one_line
from predjax.synthetic import radar, strain_paths, stress_strain
from predjax.synthetic.systems import SYSTEMS


@dataclasses.dataclass(frozen=True)
class MovieFile:
    """A file of movies to write."""

    output: str = flag(REQUIRED, "the file to write", metavar="FILE")
    num_movies: int = flag(160, "number of movies", metavar="N")
    seed: int = flag(0, "the same seed gives the same movies", metavar="N")
    overwrite: bool = flag(False, "replace an existing file", switch=True)


@dataclasses.dataclass(frozen=True)
class PathFile(MovieFile):
    """A file of strain paths to write."""

    num_movies: int = flag(len(strain_paths.list_canonical()), "number of paths", metavar="N")
    seed: int = flag(0, "the same seed gives the same paths", metavar="N")


@dataclasses.dataclass(frozen=True)
class Digits:
    """The digits of Moving MNIST, and how long they move."""

    digits: str = flag(REQUIRED, ".npz with `digits`, or .npy: (N, 28, 28) uint8", metavar="FILE")
    length: int = flag(20, "of a movie", metavar="FRAMES")
    input_length: int = flag(10, "that are input", metavar="FRAMES")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write one file; return the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    values = vars(make_parser().parse_args(arguments))
    kind = values.pop("kind")
    file_class = PathFile if kind == "stress_strain" else MovieFile
    file = file_class(**select(file_class, values))
    try:
        _write(kind, file, values, shlex.join(["python", "-m", "predjax.synthetic", *arguments]))
    except (ValueError, OSError) as error:
        print(f"predjax: {one_line(str(error))}", file=sys.stderr)
        return 2
    print(f"{file.output}: {file.num_movies} movies")
    return 0


def _write(kind: str, file: MovieFile, values: Mapping[str, Any], command: str) -> None:
    """Write a file of one kind, with the values that were typed for its configuration."""
    if kind == "radar":
        from predjax.synthetic.radar_files import write_radar_movies

        config = radar.RadarConfig(**select(radar.RadarConfig, values))
        write_radar_movies(file.output, config, file.num_movies, file.seed, history=command, overwrite=file.overwrite)
    elif kind == "stress_strain":
        config = stress_strain.StressStrainConfig(**select(stress_strain.StressStrainConfig, values))
        stress_strain.write_stress_strain(
            file.output, config, file.num_movies, file.seed, history=command, overwrite=file.overwrite
        )
    elif kind in SYSTEMS:
        from predjax.synthetic.series_files import write_series

        config = SYSTEMS[kind].config(**select(SYSTEMS[kind].config, values))
        write_series(file.output, kind, config, file.num_movies, file.seed, history=command, overwrite=file.overwrite)
    else:
        from predjax.synthetic import moving_mnist

        digits = Digits(**select(Digits, values))
        moving_mnist.write_moving_mnist(
            file.output,
            moving_mnist.read_digits(digits.digits),
            file.num_movies,
            file.seed,
            length=digits.length,
            input_length=digits.input_length,
            overwrite=file.overwrite,
        )


def make_parser() -> Parser:
    """Return the parser; of its subcommands each takes the beginning of a flag for the flag."""
    parser = Parser(prog="python -m predjax.synthetic", description=__doc__)
    kinds = parser.add_subparsers(title="kinds", dest="kind", required=True)

    def add(name: str, help: str, *groups: Group) -> None:
        kinds.add_parser(name, help=help, flags=parser.flags, allow_abbrev=True).add_groups(groups)

    output = Group("output", MovieFile)
    add("radar", "rain in a smooth flow, .nc or .npy", output, Group("movies", radar.RadarConfig))
    add("moving_mnist", "bouncing digits, .npz as PredRNN reads it", output, Group("movies", Digits))
    paths = Group("output", PathFile), Group("paths", stress_strain.StressStrainConfig)
    add("stress_strain", "paths of a composite of fibres in a matrix, .nc", *paths)
    for name, system in SYSTEMS.items():
        formats = ".nc" if system.input_name else ".nc or .npy"
        add(name, f"{system.title} series, {formats}", output, Group("series", system.config))
    return parser


if __name__ == "__main__":
    sys.exit(main())
