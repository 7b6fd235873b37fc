"""Makes the coastlines and borders of the maps from Natural Earth, version 4.1.0, 1:10m, public domain.

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python docs/build_coastlines.py package/countries-10m.json predjax/pictures/coastlines.npz

The npm package `world-atlas` (ISC licence) redistributes Natural Earth as TopoJSON, where each line is kept once: one
that two countries share is a border, the others are coasts. Lines are thinned so that none moves by more than 0.01
degrees of latitude (1.1 km), islands smaller than that are left out.
"""

import argparse
import collections
import json
import pathlib

import numpy as np

TOLERANCE = 0.01  # degrees of latitude
GRAIN = 0.005  # degrees; coordinates are kept as whole numbers of these


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=pathlib.Path, help="countries-10m.json of world-atlas")
    parser.add_argument("output", type=pathlib.Path, help="coastlines.npz")
    options = parser.parse_args()
    topology = json.loads(options.source.read_text())
    uses = count_uses(topology["objects"]["countries"]["geometries"])
    scale, offset = (np.array(topology["transform"][name]) for name in ("scale", "translate"))
    lines, borders = [], []
    for number, arc in enumerate(topology["arcs"]):
        line = thin(np.cumsum(arc, axis=0) * scale + offset)
        line = np.round(line / GRAIN).astype(np.int32)
        line = line[np.r_[True, (np.diff(line, axis=0) != 0).any(axis=1)]]
        if len(line) > 1 and np.ptp(line, axis=0).max() * GRAIN >= TOLERANCE and not on_edge(line):
            lines.append(line)
            borders.append(uses[number] > 1)
    steps = np.concatenate([np.diff(line, axis=0, prepend=np.zeros((1, 2), np.int32)) for line in lines])
    lengths = np.array([len(line) for line in lines], np.uint16)
    np.savez_compressed(
        options.output, longitude=steps[:, 0], latitude=steps[:, 1],
        lengths=lengths, borders=np.array(borders), grain=GRAIN,
    )  # fmt: skip
    print(f"{len(lines)} lines of {len(steps)} points, {options.output.stat().st_size} bytes")


def count_uses(geometries: list[dict]) -> collections.Counter:
    """The number of countries that have each arc."""
    uses: collections.Counter = collections.Counter()
    for geometry in geometries:
        uses.update({arc if arc >= 0 else ~arc for arc in flatten(geometry.get("arcs", []))})
    return uses


def flatten(arcs: list) -> list[int]:
    return [arcs] if isinstance(arcs, int) else [one for arc in arcs for one in flatten(arc)]


def thin(line: np.ndarray) -> np.ndarray:
    """The points of a line (n, 2) that Douglas and Peucker (1973) keep; longitudes count as they are on the ground."""
    ground = line * [max(np.cos(np.radians(line[:, 1].mean())), 0.1), 1.0]
    kept, open_parts = {0, len(line) - 1}, [(0, len(line) - 1)]
    while open_parts:
        first, last = open_parts.pop()
        if last - first < 2:
            continue
        chord, inner = ground[last] - ground[first], ground[first + 1 : last] - ground[first]
        length, across = np.hypot(*chord), np.abs(inner[:, 0] * chord[1] - inner[:, 1] * chord[0])
        away = across / length if length else np.hypot(*inner.T)  # of a ring: from the point where it begins
        far = int(away.argmax())
        if away[far] > TOLERANCE:
            kept.add(first + 1 + far)
            open_parts += [(first, first + 1 + far), (first + 1 + far, last)]
    return line[sorted(kept)]


def on_edge(line: np.ndarray) -> bool:
    """Whether a line is the edge of the flat map: the 180th meridian or the pole."""
    degrees = line * GRAIN
    return bool((np.abs(degrees[:, 0]) >= 179.99).all() or (degrees[:, 1] <= -89.9).all())


if __name__ == "__main__":
    main()
