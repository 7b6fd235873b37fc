"""Make data to train on: radar movies, Moving MNIST, series of known systems, stress-strain paths."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from predjax import flags
from predjax.messages import one_line
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, those of the process by default, and return the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = make_parser().parse_args(arguments)
    try:
        _write(options, shlex.join(["python", "-m", "predjax.synthetic", *arguments]))
    except (ValueError, OSError) as error:
        print(f"predjax: {one_line(str(error))}", file=sys.stderr)
        return 2
    print(f"{options.output}: {options.num_movies} movies")
    return 0


def _write(options: argparse.Namespace, history: str) -> None:
    """Write the file that the flags ask for."""
    config_class = CONFIGS[options.kind]
    config = config_class(**flags.typed(config_class, options))
    path, seeds, how = options.output, (options.num_movies, options.seed), {"overwrite": options.overwrite}
    if options.kind == "moving_mnist":
        write_moving_mnist(path, read_digits(options.digits), config, *seeds, **how)
    elif options.kind == "stress_strain":
        write_stress_strain(path, config, *seeds, history=history, **how)
    elif options.kind == "radar":
        from predjax.synthetic.radar_files import write_radar_movies

        write_radar_movies(path, config, *seeds, history=history, **how)
    else:
        from predjax.synthetic.series_files import write_series

        write_series(path, config, *seeds, history=history, **how)


class _KindParser(flags.Parser):
    """A parser that accepts the beginning of a flag for the whole flag, as this program always has."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": True, **options})


def _common(what: str, count: int) -> _KindParser:
    """Return a parser of the flags that all kinds have, about `count` of `what` by default."""
    common = _KindParser(add_help=False)
    add = common.add_argument_group("output").add_argument
    add("--output", required=True, metavar="FILE", help="the file to write")
    add("--num_movies", type=int, default=count, metavar="N", help=f"number of {what} (default {count})")
    add("--seed", type=int, default=0, metavar="N", help=f"the same seed gives the same {what} (default 0)")
    add("--overwrite", action="store_true", help="replace an existing file")
    return common


def make_parser() -> flags.Parser:
    """Return the parser of the command, with a subcommand for each kind of data."""
    parser = flags.Parser(prog="python -m predjax.synthetic", description=__doc__)
    kinds = parser.add_subparsers(title="kinds", dest="kind", required=True, parser_class=_KindParser)
    common = _common("movies", 160)
    kind = kinds.add_parser("radar", parents=[common], help="rain in a smooth flow, .nc or .npy")
    flags.add_flags(kind, RadarConfig, "movies")
    kind = kinds.add_parser("moving_mnist", parents=[common], help="bouncing digits, .npz as PredRNN reads it")
    kind.add_argument("--digits", required=True, metavar="FILE", help=".npz with `digits`, or .npy: (N, 28, 28) uint8")
    flags.add_flags(kind, MovingMnistConfig, "movies")
    paths = _common("paths", len(list_canonical()))
    kind = kinds.add_parser("stress_strain", parents=[paths], help="paths of a composite of fibres in a matrix, .nc")
    flags.add_flags(kind, StressStrainConfig, "paths")
    for name, system in SYSTEMS.items():
        formats = ".nc" if system.input_name else ".nc or .npy"
        kind = kinds.add_parser(name, parents=[common], help=f"{system.title} series, {formats}")
        flags.add_flags(kind, system.config, "series")
    return parser


if __name__ == "__main__":
    sys.exit(main())
