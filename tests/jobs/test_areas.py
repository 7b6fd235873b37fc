"""Rain on areas in Python and from whole forecasts."""

import csv
import pathlib

import numpy as np
import pytest
import xarray as xr
from nowcasts.test_areal_rain import make_forecast
from tiny import ROOT

import predjax
from predjax.commands.forecast import main

BOXES = "name,x_min,y_min,x_max,y_max\ncreek,300000,698000,302000,700000\nlake,301000,697000,303500,699000\n"


def test_the_rain_on_areas_in_python(tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text(BOXES)
    found = predjax.find_rain_on_areas(make_forecast([[4, 8], [8, 0]]), path, accumulation=[2])
    assert isinstance(found, xr.Dataset) and found["area"].values.tolist() == ["creek", "lake"]
    np.testing.assert_allclose(found["probability_of_accumulation_above_threshold"][0, 0], [0.5, 1])
    with pytest.raises(ValueError, match="min_area_coverage must be above 0 and at most 1, not 2"):
        predjax.find_rain_on_areas(make_forecast([4, 8]), path, min_area_coverage=2.0)
    with pytest.raises(ValueError, match=r"has no area_names.*did you mean area_name"):
        predjax.find_rain_on_areas(make_forecast([4, 8]), path, area_names="id")


@pytest.mark.ci
def test_a_forecast_writes_the_rain_on_areas_beside_its_maps(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = "name,x,y\nUpper Creek,380000,600000\nupper/creek,400000,610000\nfar away,0,0\n"
    pathlib.Path("gauges.csv").write_text(text)
    data = str(ROOT / "data" / "fmi_20160928.nc")
    arguments = ["--checkpoint", "persistence", "--data_path", data, "--num_steps", "2", "--output", "now.nc"]
    assert main([*arguments, "--areas", "gauges.csv"]) == 0
    assert "; rain on 3 areas" in capsys.readouterr().out
    with open("now_areas.csv") as file, xr.open_dataset("now.nc", decode_timedelta=False) as maps:
        rows = list(csv.DictReader(file))
        pixel = maps.reflectivity.sel(x=380000, y=600000, method="nearest").values
    np.testing.assert_allclose(
        float(rows[1]["rain_rate_mm_per_h"]), (10 ** (pixel[1] / 10) / 223) ** (1 / 1.53), rtol=1e-4
    )
    assert [row["coverage"] for row in rows] == ["1", "1", "1", "1", "0", "0"] and rows[-1]["rain_rate_mm_per_h"] == ""
    assert main([*arguments, "--overwrite", "--areas", "nowhere.csv"]) == 2
    assert capsys.readouterr().err == "predjax: nowhere.csv: No such file or directory\n"
