"""Files of stress-strain paths of a composite, from which a network of material points learns."""

import dataclasses
import functools
import pathlib

import numpy as np
from tqdm import tqdm

from predjax.flags import flag
from predjax.synthetic.movie_file import MovieFile
from predjax.synthetic.strain_paths import PATH_TYPES, list_canonical, make_strain_path

TOGETHER = 16  # paths that are computed at once
GLOBAL_ATTRIBUTES = {
    "title": "stress along strain paths of a composite of elastic fibres in an elastoplastic matrix",
    "source": "predjax.synthetic.micromodel",
    "references": "https://doi.org/10.1016/j.cma.2023.115934, https://doi.org/10.1002/nme.6059",
    "license": "Apache-2.0",
}


@dataclasses.dataclass(frozen=True)
class StressStrainConfig:
    """Paths of strain and the composite that follows them.

    The composite is a square cell of elastic fibres in an elastoplastic matrix, the default of
    `cells.plasticity.Material`, in plane stress.
    """

    path_type: str = flag("canonical", "kind of path", choices=PATH_TYPES)
    length: int = flag(60, "steps of a path")
    max_strain: float = flag(0.04, "largest norm of the strains (xx, yy, engineering xy)")
    pixels: int = flag(25, "pixels along a side of the cell, odd")
    num_fibres: int = flag(4, "fibres in the cell")
    fibre_fraction: float = flag(0.45, "fraction of the cell that is fibre")
    arrangement: int = flag(0, "seed of the arrangement of the fibres")
    fibre_young: float = flag(74000.0, "elastic modulus of the fibres in MPa")
    fibre_poisson: float = flag(0.2, "Poisson's ratio of the fibres")
    tolerance: float = flag(1e-4, "largest imbalance of the stresses in the cell, relative to the stresses")

    def __post_init__(self) -> None:
        rules = {
            "path_type": (self.path_type in PATH_TYPES, f"one of {', '.join(PATH_TYPES)}"),
            "length": (self.length >= 2, "at least 2"),
            "max_strain": (0 < self.max_strain <= 0.2, "above 0 and at most 0.2, for strains are taken as small"),
            "pixels": (self.pixels >= 3 and self.pixels % 2 == 1, "odd, and at least 3"),
            "num_fibres": (self.num_fibres >= 1, "at least 1"),
            "fibre_fraction": (0 < self.fibre_fraction < 0.7, "between 0 and 0.7"),
            "arrangement": (self.arrangement >= 0, "at least 0"),
            "fibre_young": (0 < self.fibre_young < float("inf"), "positive"),
            "fibre_poisson": (0 <= self.fibre_poisson < 0.5, "between 0 and 0.5"),
            "tolerance": (1e-6 <= self.tolerance < 1, "at least 1e-6, in single precision"),
        }
        for name, (holds, rule) in rules.items():
            if not holds:
                raise ValueError(f"{name} must be {rule}, not {getattr(self, name)}")


def write_stress_strain(file: MovieFile, config: StressStrainConfig, history: str = "") -> None:
    """Compute the stresses along the paths of a file; write `strain` and `stress` (path, time, component) as netCDF.

    Errors: see `MovieFile.writing`, and ValueError for too many paths, fibres that do not fit into the cell, or
    stresses that do not reach equilibrium.
    """
    count, seed, most = file.num_movies, file.seed, len(list_canonical())
    if config.path_type == "canonical" and count > most:
        raise ValueError(f"num_movies {count} must be from 1 to {most}, the canonical paths")
    with file.writing("stress-strain paths are", ".nc") as temporary:
        make = functools.partial(make_strain_path, length=config.length, max_strain=config.max_strain, seed=seed)
        strain = np.stack([make(config.path_type, number) for number in range(count)]).astype(np.float32)
        _write(temporary, strain, find_stress(strain, config), {"history": history, "seed": seed}, config)


def find_stress(strain: np.ndarray, config: StressStrainConfig) -> np.ndarray:
    """Return the mean stresses (P, T, 3) of the composite in MPa along strains (P, T, 3).

    Errors: ValueError where the fibres do not fit, or the stresses of the cell do not reach equilibrium.
    """
    from predjax.synthetic.micromodel import follow_paths

    found = []
    starts = range(0, len(strain), TOGETHER)
    for first in tqdm(starts, desc="paths", unit=f"{TOGETHER} paths", disable=None, leave=False):
        part = strain[first : first + TOGETHER]
        whole = np.concatenate([part, np.repeat(part[-1:], min(len(strain), TOGETHER) - len(part), 0)])
        stress, imbalance = (np.asarray(array) for array in follow_paths(whole, config))
        failed = ~(imbalance <= config.tolerance)
        if failed.any():
            step = int(np.argmax(failed))
            raise ValueError(f"step {step} of paths from {first}: the cell is out of balance by {imbalance[step]:.1e}")
        found.append(stress[: len(part)])
    return np.concatenate(found)


def _write(path: pathlib.Path, strain: np.ndarray, stress: np.ndarray, made: dict, config: StressStrainConfig) -> None:
    import netCDF4

    from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
    from predjax.radar.formats.table import COMPONENTS

    with NETCDF_LOCK, netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.setncatts(GLOBAL_ATTRIBUTES | made | dataclasses.asdict(config))
        for dimension, size in zip(("path", "time", "component"), strain.shape):
            file.createDimension(dimension, size)
        labels = file.createVariable("component", str, ("component",))
        labels.long_name, labels[:] = "component, of strain with engineering shear", np.array(COMPONENTS, object)
        for name, values, units in (("strain", strain, "1"), ("stress", stress, "MPa")):
            variable = file.createVariable(name, "f4", ("path", "time", "component"))
            variable.long_name, variable.units, variable[:] = f"mean {name} of the cell", units, values
