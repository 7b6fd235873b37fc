"""Rain of a forecast on areas, as labelled variables and as files beside the forecast; areas for an evaluation."""

import itertools
import pathlib
import re
from collections.abc import Iterable
from typing import Any

import xarray as xr

from predjax.jobs.options import read_keywords
from predjax.messages import one_line_messages
from predjax.nowcasts.areal_rain import find_areal_rain, find_grid
from predjax.nowcasts.config import EnsembleOptions
from predjax.nowcasts.forecast import Forecast
from predjax.radar.areas.config import AreaOptions, AreaScoringOptions
from predjax.radar.areas.files import Areas, read_areas
from predjax.radar.areas.netcdf import write_series
from predjax.radar.areas.place import PlacedAreas, place_areas
from predjax.radar.areas.tables import write_table
from predjax.radar.grid import Grid
from predjax.units import RAIN_UNITS, ZR_A, ZR_B
from predjax.verification.areas import AreaScoring
from predjax.verification.cases import Cases


class AreaForecasting:
    """The areas of a file, for any number of forecasts; they are placed again only when the grid changes."""

    def __init__(self, options: AreaOptions, ensemble: EnsembleOptions):
        """Read the file. Errors: ValueError, OSError, see `read_areas`."""
        assert options.areas, "areas are asked for"
        self._options, self._ensemble = options, ensemble
        self._areas: Areas = read_areas(options.areas, options.area_name)
        self._placed: tuple[Grid, PlacedAreas] | None = None

    def place(self, forecast: Forecast) -> tuple[Grid, PlacedAreas]:
        """Return the grid of a forecast and the areas on it. Errors: see `place_areas`."""
        grid = find_grid(forecast)
        if self._placed is None or not self._placed[0].same(grid):
            self._placed = grid, place_areas(self._areas, grid)
        return self._placed

    def find(self, forecast: Forecast) -> xr.Dataset:
        """Return the rain of a forecast on the areas. Errors: see `place_areas` and `find_areal_rain`."""
        _, placed = self.place(forecast)
        return find_areal_rain(forecast, placed, self._ensemble, self._options.min_area_coverage)

    def write(self, path: pathlib.Path, forecast: Forecast, rain: xr.Dataset, overwrite: bool) -> None:
        """Write the rain on the areas as NAME_areas.csv and NAME_areas.nc beside the file NAME.nc of the forecast."""
        grid, placed = self.place(forecast)
        table, series = name_tables(path)
        write_table(table, rain, overwrite=overwrite)
        write_series(series, rain, placed, grid, overwrite=overwrite)


@one_line_messages()
def find_rain_on_areas(forecast: Forecast, areas: Any, **options: Any) -> xr.Dataset:
    """Return the rain of a forecast on catchments, points or boxes: rates, totals, percentiles and probabilities.

    Args:
      forecast: of `predjax.forecast`, single or with all its members, in mm/h or dBZ.
      areas: a file, see `radar.areas.files.read_areas`.
      options: `area_name` and `min_area_coverage` of `radar.areas.config.AreaOptions`; `percentiles`, `probability`
        and `accumulation` of `nowcasts.config.EnsembleOptions`.

    Returns:
      See `nowcasts.areal_rain.find_areal_rain`; `to_dataframe()` makes a table of it.

    Raises:
      ValueError, OSError: one line: areas that cannot be read or are all outside the grid, other units.
    """
    own, ensemble = read_keywords("find_rain_on_areas", (AreaOptions, EnsembleOptions), {"areas": areas, **options})
    return AreaForecasting(AreaOptions(**own), EnsembleOptions(**ensemble)).find(forecast)


def score_areas(cases: Cases, options: AreaScoringOptions) -> Cases:
    """Return cases whose totals on areas are scored.

    Raises:
      ValueError, OSError: areas that cannot be read or placed, and cases that have no totals: cropped frames, other
        units, several channels, lead times that are not minutes.
    """
    if cases.crop:
        raise ValueError(f"--areas needs whole frames, not --crop {cases.crop}")
    channels = cases.sources[0].sizes["channel"]
    if cases.units not in RAIN_UNITS or channels != 1 or cases.scoring.lead_units != "minutes":
        need = f"one channel of rain in {' or '.join(RAIN_UNITS)} and one time step"
        found = f"{channels} channels in {cases.units} and lead times in units of {cases.scoring.lead_units}"
        raise ValueError(f"--areas needs {need}, the data have {found}")
    assert options.areas, "areas are asked for"
    areas, scored = read_areas(options.areas, options.area_name), []
    for movies in cases.sources:
        attrs = movies.frames.attrs
        relation = float(attrs.get("zr_a", ZR_A)), float(attrs.get("zr_b", ZR_B))
        placed = place_areas(areas, Grid.of(movies))
        scored.append(AreaScoring(placed, options.min_area_coverage, tuple(sorted(options.area_totals)), relation))
    return cases._replace(areas=scored)


def draw_areas(path: pathlib.Path, rain: xr.Dataset, overwrite: bool) -> None:
    """Draw the rain on each area into NAME_area_AREA.png beside the file NAME.nc of the forecast."""
    from predjax.pictures.areas import draw_area

    for number, file in enumerate(name_pictures(path, rain)):
        draw_area(file, rain.isel(area=number), overwrite=overwrite)


def name_tables(path: pathlib.Path) -> list[pathlib.Path]:
    """Return the names of the table and the netCDF file of areas beside the file of a forecast."""
    return [path.with_name(f"{path.stem}_areas{suffix}") for suffix in (".csv", ".nc")]


def name_pictures(path: pathlib.Path, rain: xr.Dataset) -> list[pathlib.Path]:
    """Return the names of the pictures of the areas beside the file of a forecast."""
    names = name_files(str(name) for name in rain["area"].values)
    return [path.with_name(f"{path.stem}_area_{name}.png") for name in names]


def name_files(names: Iterable[str]) -> list[str]:
    """Return parts of file names for areas: letters, digits, - and _; equal names get different numbers.

    >>> name_files(["Upper Creek", "upper/creek", "Ålen"])
    ['Upper_Creek', 'upper_creek_2', 'Ålen']
    >>> name_files(["a_3", "a", "A"])
    ['a_3', 'a', 'A_4']
    """
    taken: set[str] = set()
    files = []
    for number, name in enumerate(names, 1):
        plain = re.sub(r"[^\w-]+", "_", name)[:60] or str(number)
        numbered = (f"{plain}_{count}" for count in itertools.count(number))
        file = next(one for one in itertools.chain([plain], numbered) if one.lower() not in taken)
        taken.add(file.lower())
        files.append(file)
    return files
