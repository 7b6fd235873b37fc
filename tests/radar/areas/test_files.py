"""Files of areas: what they hold, and what is refused in one line."""

import json
import sys

import numpy as np
import pytest

from predjax.radar.areas.files import LONGITUDES, read_areas

SQUARE = [[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]
HOLE = [[0.5, 0.5], [0.5, 1], [1, 1], [1, 0.5], [0.5, 0.5]]


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def make_feature(kind="Polygon", coordinates=(SQUARE,), **properties):
    return {"type": "Feature", "properties": properties, "geometry": {"type": kind, "coordinates": coordinates}}


def make_collection(*features, **more):
    return {"type": "FeatureCollection", "features": features, **more}


def test_geojson_has_polygons_with_holes_and_points(tmp_path):
    features = [
        make_feature(coordinates=[SQUARE, HOLE], NAME="Å"),
        make_feature("MultiPolygon", [[SQUARE], [SQUARE]], NAME="two"),
        make_feature("Point", [3, 4, 100], NAME="gauge"),
    ]
    found = read_areas(write(tmp_path / "a.geojson", make_collection(*features)))
    assert found.crs == LONGITUDES and [area.name for area in found.areas] == ["Å", "two", "gauge"]
    assert [[len(rings) for rings in area.polygons] for area in found.areas] == [[2], [1, 1], [1]]
    assert [area.is_point for area in found.areas] == [False, False, True]
    np.testing.assert_array_equal(found.areas[2].polygons[0][0], [[3, 4]])
    old = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3067"}}
    assert read_areas(write(tmp_path / "b.json", make_collection(*features, crs=old))).crs.endswith("3067")


def test_names_come_from_a_property_or_are_numbers(tmp_path):
    features = [make_feature(river="Inn", id=7), make_feature(river="Isar", id=8)]
    path = write(tmp_path / "a.geojson", make_collection(*features))
    assert [area.name for area in read_areas(path).areas] == ["7", "8"]
    assert [area.name for area in read_areas(path, "river").areas] == ["Inn", "Isar"]
    one = write(tmp_path / "b.geojson", make_feature(river="Inn"))
    assert [area.name for area in read_areas(one).areas] == ["1"]


@pytest.mark.parametrize(
    "header, row, crs, corners",
    [
        ("name,lon,lat", "a,25,60", LONGITUDES, [[25, 60]]),
        ("Y, X ,Name", "1,2,a", "", [[2, 1]]),
        ("name,x_min,y_min,x_max,y_max", "a,0,1,2,3", "", [[0, 1], [2, 1], [2, 3], [0, 3], [0, 1]]),
    ],
)
def test_csv_has_points_or_boxes(tmp_path, header, row, crs, corners):
    found = read_areas(write(tmp_path / "a.csv", f"\ufeff{header}\n{row}\n"))
    assert found.crs == crs and found.areas[0].name == "a"
    np.testing.assert_array_equal(found.areas[0].polygons[0][0], corners)


BAD = {
    "a.txt": ("", "areas must be .geojson"),
    "empty.csv": ("name,x,y\n", "there is no area in it"),
    "columns.csv": ("name,east,north\na,1,2\n", "the columns must be name and .*, found name, east, north"),
    "number.csv": ("name,x,y\na,1,two\n", "line 2: x, y must be numbers, found 1, two"),
    "infinite.csv": ("name,x,y\na,1,inf\n", "a: a place must be finite numbers"),
    "short.csv": ("name,x,y\na,1\n", "line 2: x, y must be numbers, found 1, $"),
    "box.csv": ("name,x_min,y_min,x_max,y_max\na,2,0,1,1\n", "line 2: a box must have x_min < x_max"),
    "twice.csv": ("name,x,y\na,1,1\na,2,2\n", "two areas have the name 'a': name them by another property"),
    "text.json": ("{", "text.json must be GeoJSON"),
    "list.json": ([1], "must be a GeoJSON FeatureCollection or Feature, found None"),
    "line.json": (make_feature("LineString", SQUARE), "must be a Polygon, a MultiPolygon or a Point, found LineString"),
    "open.json": (make_feature(coordinates=[SQUARE[:-1]]), "four places or more and end where it begins"),
    "flat.json": (make_feature(coordinates=SQUARE), "a place must be two numbers or three"),
    "none.json": ({"type": "Feature", "geometry": None}, "found None"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_one_line(tmp_path, name):
    content, rule = BAD[name]
    with pytest.raises(ValueError, match=rule) as error:
        read_areas(write(tmp_path / name, content))
    assert "\n" not in str(error.value)


def test_an_unknown_property_is_named(tmp_path):
    path = write(tmp_path / "a.geojson", make_feature(river="Inn"))
    with pytest.raises(ValueError, match="no area has the property 'rver', there are river"):
        read_areas(path, "rver")


@pytest.mark.parametrize("suffix", ["shp", "gpkg"])
def test_shapefiles_and_geopackages_come_with_their_projection(tmp_path, suffix):
    pyogrio = pytest.importorskip("pyogrio", reason="the extra `areas` reads shapefiles")
    shapely = pytest.importorskip("shapely", reason="the extra `areas` reads shapefiles")
    path = str(tmp_path / f"a.{suffix}")
    outlines = np.array([shapely.to_wkb(shapely.Polygon(SQUARE, [HOLE]))], object)
    names = [np.array(["Inn"], object)]
    pyogrio.raw.write(path, outlines, names, ["NAME"], geometry_type="Polygon", crs="EPSG:3067")
    found = read_areas(path)
    assert found.areas[0].name == "Inn" and len(found.areas[0].polygons[0]) == 2 and "3067" in found.crs
    (tmp_path / "b.shp").write_bytes(b"no shapefile")
    with pytest.raises(ValueError, match=r"b\.shp cannot be read"):
        read_areas(str(tmp_path / "b.shp"))
    (tmp_path / "a.prj").unlink(missing_ok=True)
    if suffix == "shp":
        with pytest.raises(ValueError, match="must name its coordinate reference system"):
            read_areas(path)


def test_without_the_libraries_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyogrio", None)
    with pytest.raises(ValueError, match=r"need pyogrio and shapely: pip install 'predjax\[areas\]'"):
        read_areas(str(tmp_path / "a.shp"))
