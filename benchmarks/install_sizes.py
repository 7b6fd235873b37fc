"""Measure what an installation of predjax takes: MiB on disk and seconds, of the core and of each extra on top of it.

    python benchmarks/install_sizes.py grib geotiff radolan hdf5

Each is installed by pip into a virtual environment of its own, in a temporary folder. `--source` is the folder to
install from: a checkout of another commit shows what changed between the two.
"""

import argparse
import pathlib
import shutil
import subprocess
import tempfile
import time
import venv


def measure(folder: pathlib.Path) -> float:
    """Return the MiB of the files in a folder."""
    return sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir()) / 2**20


def install(environment: pathlib.Path, wanted: str) -> float:
    """Install by pip; return the seconds."""
    begin = time.monotonic()
    subprocess.run([environment / "bin" / "python", "-m", "pip", "install", "--quiet", wanted], check=True)
    return time.monotonic() - begin


def main() -> None:
    """Print a line for the core and for each extra."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("extras", nargs="*", help="extras to measure, as in setup.cfg")
    parser.add_argument("--source", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[1])
    arguments = parser.parse_args()
    source = arguments.source.resolve()
    with tempfile.TemporaryDirectory() as scratch:
        core = pathlib.Path(scratch) / "core"
        venv.create(core, with_pip=True)
        empty = measure(core)
        seconds = install(core, str(source))
        size = measure(core)
        print(f"core        {size - empty:6.0f} MiB {seconds:5.0f} s", flush=True)
        for extra in arguments.extras:
            own = pathlib.Path(scratch) / extra
            shutil.copytree(core, own, symlinks=True)
            seconds = install(own, f"{source}[{extra}]")
            print(f"{extra:10} +{measure(own) - size:6.0f} MiB {seconds:5.0f} s", flush=True)
            shutil.rmtree(own)


if __name__ == "__main__":
    main()
