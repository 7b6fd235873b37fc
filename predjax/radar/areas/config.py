"""The options of areas: their file, their names, and the share of an area that must have data."""

import dataclasses
import math

from predjax.flags import flag


@dataclasses.dataclass(frozen=True)
class AreaOptions:
    """Areas (catchments, points or boxes) on which rain is summed. Errors: ValueError, a value outside its range."""

    areas: str | None = flag(
        None,
        "catchments, points or boxes: GeoJSON, CSV, or a shapefile or GeoPackage (extra `areas`) (default: none)",
        metavar="FILE",
        kind="file",
    )
    area_name: str = flag(
        "", "property of the areas that is their name (default: name, else id, else their number)", metavar="NAME"
    )
    min_area_coverage: float = flag(0.9, "least share of an area with data, else its rain is missing", metavar="SHARE")

    def __post_init__(self) -> None:
        if not 0 < self.min_area_coverage <= 1:
            raise ValueError(f"min_area_coverage must be above 0 and at most 1, not {self.min_area_coverage:g}")
        if self.area_name and not self.areas:
            raise ValueError("--area_name needs --areas")


@dataclasses.dataclass(frozen=True)
class AreaScoringOptions(AreaOptions):
    """The areas for which totals of rain are scored. Errors: ValueError, a value outside its range."""

    area_totals: tuple[float, ...] = flag((1.0, 5.0), "thresholds of totals, for the Brier score", metavar="MM,MM,...")

    def __post_init__(self) -> None:
        super().__post_init__()
        for threshold in self.area_totals:
            if not 0 < threshold < math.inf:
                raise ValueError(f"area_totals must be above 0 mm, not {threshold:g}")
        if len(set(self.area_totals)) < len(self.area_totals):
            raise ValueError(f"area_totals names a value twice: {','.join(map(str, self.area_totals))}")
