"""Makes data to train on: radar movies, Moving MNIST, series of known systems, stress-strain paths."""

import shlex
import sys
from collections.abc import Sequence

from predjax import flags
from predjax.messages import one_line
from predjax.synthetic import radar, strain_paths, stress_strain
from predjax.synthetic.systems import SYSTEMS


def main(arguments: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = make_parser().parse_args(arguments)
    command = shlex.join(["python", "-m", "predjax.synthetic", *arguments])
    try:
        if options.kind == "radar":
            from predjax.synthetic import radar_files

            config = radar.RadarConfig(**flags.typed(radar.RadarConfig, options))
            radar_files.write_radar_movies(
                options.output,
                config,
                options.num_movies,
                options.seed,
                history=command,
                overwrite=options.overwrite,
            )
        elif options.kind == "stress_strain":
            stress_strain.write_stress_strain(
                options.output,
                stress_strain.StressStrainConfig(**flags.typed(stress_strain.StressStrainConfig, options)),
                options.num_movies,
                options.seed,
                history=command,
                overwrite=options.overwrite,
            )
        elif options.kind in SYSTEMS:
            from predjax.synthetic import series_files

            config_class = SYSTEMS[options.kind].config
            series_files.write_series(
                options.output,
                options.kind,
                config_class(**flags.typed(config_class, options)),
                options.num_movies,
                options.seed,
                history=command,
                overwrite=options.overwrite,
            )
        else:
            from predjax.synthetic import moving_mnist

            moving_mnist.write_moving_mnist(
                options.output,
                moving_mnist.read_digits(options.digits),
                options.num_movies,
                options.seed,
                length=options.length,
                input_length=options.input_length,
                overwrite=options.overwrite,
            )
    except (ValueError, OSError) as error:
        print(f"predjax: {one_line(str(error))}", file=sys.stderr)
        return 2
    print(f"{options.output}: {options.num_movies} movies")
    return 0


class _KindParser(flags.Parser):
    """Takes the beginning of a flag for it, as this program always has."""

    def __init__(self, **options):
        super().__init__(**{"allow_abbrev": True, **options})


def _common(what: str, count: int) -> _KindParser:
    """The flags of all kinds."""
    common = _KindParser(add_help=False)
    add = common.add_argument_group("output").add_argument
    add("--output", required=True, metavar="FILE", help="the file to write")
    add("--num_movies", type=int, default=count, metavar="N", help=f"number of {what} (default {count})")
    add("--seed", type=int, default=0, metavar="N", help=f"the same seed gives the same {what} (default 0)")
    add("--overwrite", action="store_true", help="replace an existing file")
    return common


def make_parser() -> flags.Parser:
    parser = flags.Parser(prog="python -m predjax.synthetic", description=__doc__)
    kinds = parser.add_subparsers(title="kinds", dest="kind", required=True, parser_class=_KindParser)
    common = _common("movies", 160)
    kind = kinds.add_parser("radar", parents=[common], help="rain in a smooth flow, .nc or .npy")
    flags.add_flags(kind, radar.RadarConfig, "movies")
    kind = kinds.add_parser("moving_mnist", parents=[common], help="bouncing digits, .npz as PredRNN reads it")
    add = kind.add_argument_group("movies").add_argument
    add("--digits", required=True, metavar="FILE", help=".npz with `digits`, or .npy: (N, 28, 28) uint8")
    add("--length", type=int, default=20, metavar="FRAMES", help="of a movie (default 20)")
    add("--input_length", type=int, default=10, metavar="FRAMES", help="that are input (default 10)")
    paths = _common("paths", len(strain_paths.list_canonical()))
    kind = kinds.add_parser("stress_strain", parents=[paths], help="paths of a composite of fibres in a matrix, .nc")
    flags.add_flags(kind, stress_strain.StressStrainConfig, "paths")
    for name, system in SYSTEMS.items():
        formats = ".nc" if system.input_name else ".nc or .npy"
        kind = kinds.add_parser(name, parents=[common], help=f"{system.title} series, {formats}")
        flags.add_flags(kind, system.config, "series")
    return parser


if __name__ == "__main__":
    sys.exit(main())
