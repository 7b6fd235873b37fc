"""Rain on areas in files: the table, and CF netCDF with outlines."""

import csv

import netCDF4
import numpy as np
import pytest
import xarray as xr
from nowcasts.test_areal_rain import AREAS, GRID, find, make_forecast
from radar.areas.placed import box, make_areas

from predjax.radar.areas.netcdf import write_series
from predjax.radar.areas.place import place_areas
from predjax.radar.areas.tables import write_table


@pytest.fixture(scope="module")
def rain():
    forecast = make_forecast([[4, 4, 8, 8], [8, 0, 0, 0]])
    forecast["rain"][:, 2, 2, 4] = np.nan
    return find(forecast, percentiles=(10.0,), probability=(2.5,), accumulation=(2.0,))


def test_the_table_has_a_row_for_each_area_and_lead_time(rain, tmp_path):
    path = tmp_path / "rain.csv"
    write_table(path, rain)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert len(rows) == 8 and not [name for name in rows[0] if "members" in name]
    first = rows[0]
    assert (first["area"], first["init_time"], first["valid_time"]) == (
        "a",
        "2026-06-01T12:00:00Z",
        "2026-06-01T12:15:00Z",
    )
    assert (first["lead_time_minutes"], first["accumulation_mm"], first["coverage"]) == ("15", "1.5", "1")
    assert first["accumulation_p10_mm"] == "1.1" and first["probability_of_rain_rate_above_2.5_mm_per_h"] == "1"
    assert first["probability_of_accumulation_above_2_mm"] == "0.5" and first["hourly_accumulation_mm"] == ""
    assert [row["rain_rate_mm_per_h"] for row in rows[4:]] == ["12", "4", "", "8"]  # b, without data once
    with pytest.raises(FileExistsError):
        write_table(path, rain)


def test_the_netcdf_is_a_time_series_of_geometries(rain, tmp_path):
    path = tmp_path / "rain.nc"
    write_series(path, rain, AREAS, GRID)
    with xr.open_dataset(path) as found:
        assert found.attrs["featureType"] == "timeSeries" and found["area_name"].values.tolist() == ["a", "b"]
        assert found["time"].values[0] == np.datetime64("2026-06-01T12:15")
        np.testing.assert_allclose(found["accumulation"], rain["accumulation"], rtol=1e-6)
        assert found["accumulation_members"].dims == ("realization", "area", "time")
        np.testing.assert_allclose([found["x"], found["y"]], [[301e3, 304.5e3], [699.5e3, 697.5e3]])
    with netCDF4.Dataset(path) as file:
        assert file["rain_rate"].units == "mm h-1" and "geometry" not in file["rain_rate"].ncattrs()  # one is a point
        assert file["accumulation"].cell_methods == "area: mean time: sum realization: mean"
        assert "area_name" in file["rain_rate"].coordinates.split() and file["crs"].proj4 == GRID.mapping["proj4"]
    with pytest.raises(FileExistsError):
        write_series(path, rain, AREAS, GRID)


def test_outlines_have_their_nodes_and_holes(tmp_path):
    areas = make_areas(box(300e3, 696e3, 305e3, 700e3), box(301e3, 697e3, 302e3, 698e3))
    areas.areas[0].polygons[0].append(areas.areas[1].polygons[0][0])  # the second is a hole of the first
    placed = place_areas(areas, GRID)
    write_series(tmp_path / "rain.nc", find(make_forecast([1, 2])), placed, GRID)
    with netCDF4.Dataset(tmp_path / "rain.nc") as file:
        outlines = file[file["rain_rate"].geometry]
        assert outlines.geometry_type == "polygon" and outlines.grid_mapping == "crs"
        assert file[outlines.node_count][:].tolist() == [10, 5]
        assert file[outlines.part_node_count][:].tolist() == [5, 5, 5]
        assert file[outlines.interior_ring][:].tolist() == [0, 1, 0]
        x, y = (file[name][:].data for name in outlines.node_coordinates.split())
        turns = [np.sum(x[i : i + 4] * y[i + 1 : i + 5] - x[i + 1 : i + 5] * y[i : i + 4]) / 2 for i in (0, 5, 10)]
        np.testing.assert_allclose(turns, [20e6, -1e6, 1e6])  # anticlockwise outside, clockwise inside
        if "lat" in file.variables:  # with pyproj
            assert 55 < file["lat"][0] < 70 and 20 < file["lon"][0] < 30
