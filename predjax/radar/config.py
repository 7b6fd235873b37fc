"""What a user can say about the data: how to read it, cut it into windows, and hold parts of it out."""

import dataclasses

LAYOUTS = ("auto", "movie,y,x,time", "movie,time,y,x", "movie,time,y,x,channel", "time,y,x")
UNITS = ("file", "mm/h", "dBZ")
CROP_MODES = ("random", "grid", "centre")
SPLITS = ("auto", "movie", "time")


def _field(default, text: str, choices: tuple[str, ...] = ()):
    metadata = {"help": text, "choices": choices} if choices else {"help": text}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Options of reading, windows and splits; every field is a command line flag.

    Raises:
      ValueError: a value outside its choices or its range.
    """

    layout: str = _field("auto", "axes of a .npy array; auto infers them from the shape", LAYOUTS)
    variable: str = _field("", "netCDF variable to read (group/name inside a group); empty: the only radar variable")
    units: str = _field("file", "unit of the frames; conversions use the file's own Z-R relation", UNITS)
    forcings: tuple[str, ...] = _field((), "netCDF variables that are known ahead, read as forcings")
    crop: int = _field(0, "side of the square crops in pixels; 0 takes whole frames")
    crop_mode: str = _field("random", "where the training crops lie in the frame", CROP_MODES)
    window_stride: int = _field(1, "frames between the starts of two windows")
    min_coverage: float = _field(0.5, "smallest fraction of valid pixels in a training window")
    split: str = _field("auto", "hold out whole movies or the end of the time line", SPLITS)
    valid_fraction: float = _field(0.15, "fraction of the data for validation")
    test_fraction: float = _field(0.15, "fraction of the data for the test")

    def __post_init__(self):
        for field in dataclasses.fields(self):
            choices, value = field.metadata.get("choices"), getattr(self, field.name)
            if choices and value not in choices:
                raise ValueError(f"{field.name} must be one of {', '.join(map(repr, choices))}, not {value!r}")
        if self.crop < 0:
            raise ValueError(f"crop must be 0 (whole frames) or a number of pixels, not {self.crop}")
        if self.window_stride < 1:
            raise ValueError(f"window_stride must be at least 1 frame, not {self.window_stride}")
        for name in ("min_coverage", "valid_fraction", "test_fraction"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")
        if self.valid_fraction + self.test_fraction >= 1:
            held_out = f"valid_fraction {self.valid_fraction} and test_fraction {self.test_fraction}"
            raise ValueError(f"{held_out} leave nothing for training")
