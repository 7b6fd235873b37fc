"""Fan charts: what they show of members, of a single forecast, and of an area without data."""

import numpy as np
from nowcasts.test_areal_rain import find, make_forecast

from predjax.pictures.areas import plot_area


def labels_of(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_members_are_a_fan_around_their_median():
    rain = find(make_forecast(np.random.default_rng(0).gamma(1, 2, (9, 4)))).isel(area=0)
    figure = plot_area(rain)
    assert labels_of(figure) == ["5 to 95 % of 9 members", "25 to 75 % of 9 members", "median", "mean"]
    median = figure.axes[0].lines[0].get_ydata()
    np.testing.assert_allclose(median, [0, *np.median(rain["accumulation_members"], axis=0)])
    assert figure.axes[0].get_title("right") == "100 % of the area have data"


def test_a_single_forecast_is_a_line_and_missing_data_are_said():
    forecast = make_forecast([4, 8, 0, 4])
    figure = plot_area(find(forecast).isel(area=1))
    assert labels_of(figure) == ["forecast"]
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), [0, 2, 6, 6, 8])
    forecast["rain"][:] = np.nan
    figure = plot_area(find(forecast).isel(area=0))
    assert [text.get_text() for text in figure.axes[0].texts] == ["too little of the area has data"]
    assert figure.axes[0].get_title("right") == "0 % of the area have data"
