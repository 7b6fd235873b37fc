"""Bad command lines; each function returns the arguments, the command first."""

from bad_input.bad_npy import write, write_bytes
from bad_input.kinds import refused


def _refused(name, rule, *arguments):
    """One more kind: a command that is refused before it looks at data."""

    def make(folder):
        return [*arguments]

    make.__name__ = f"flag_{name}"
    return refused("flags", rule)(make)


TRAIN, EVALUATE, ANALYSE = ("train",), ("evaluate", "--data_path", "x.npy"), ("analyse",)

_refused("unknown", "unrecognized arguments: --batchsize 4; did you mean --batch_size", *TRAIN, "--batchsize", "4")
_refused("word_for_a_number", "--batch_size: invalid int value: 'four'", *TRAIN, "--batch_size", "four")
_refused("number_of_5000_digits", "--batch_size: invalid int value", *TRAIN, "--batch_size", "9" * 5000)
_refused("without_its_value", "--batch_size: expected one argument", *TRAIN, "--batch_size")
_refused("negative_batch", "batch_size must be positive, got -1", *TRAIN, "--batch_size", "-1")
_refused("zero_iterations", "max_iterations must be positive", *TRAIN, "--max_iterations", "0")
_refused("rate_of_nan", "--lr: expected a finite number, got 'nan'", *TRAIN, "--lr", "nan")
_refused("rate_of_infinity", "--lr: expected a finite number, got 'inf'", *TRAIN, "--lr", "inf")
_refused("decay_of_nan", "--weight_decay: expected a finite number", *TRAIN, "--weight_decay", "nan")
_refused("clip_of_nan", "--clip_norm: expected a finite number", *TRAIN, "--clip_norm", "nan")
_refused("seed_of_100_bits", "seed must be below 2.31, got 12676506", *TRAIN, "--seed", str(2**100))
_refused("negative_seed", "seed must not be negative", *TRAIN, "--seed", "-1")
_refused("fraction_of_nan", "--valid_fraction: expected a finite number", *TRAIN, "--valid_fraction", "nan")
_refused("sizes_of_words", "expected int values|num_hidden: invalid", *TRAIN, "--num_hidden", "4,x")
_refused("no_layers", "num_hidden", *TRAIN, "--num_hidden", "")
_refused("layout_unknown", "layout must be one of", *TRAIN, "--layout", "x,y")
_refused("model_unknown", "model_name 'rnn\\\\n' is not one|'rnn\\\\n'", *TRAIN, "--model_name", "rnn\n")
_refused("switch_of_a_word", "expected 0 or 1, got 'maybe'", *TRAIN, "--visual", "maybe")
_refused("options_that_are_no_json", "cell_options", *TRAIN, "--cell_options", "{not json")
_refused("options_nested_deeply", "cell_options", *TRAIN, "--cell_options", "[" * 5000)
_refused("options_of_a_list", "cell_options", *TRAIN, "--cell_options", "[1]")
_refused("path_with_escapes", r"no file matches .*\\x1b\[31mx\.npy", *TRAIN, "--data_path", "\x1b[31mx.npy")
_refused("paths_of_commas", "no data path was given", *TRAIN, "--data_path", ",,")
_refused("evaluate_nothing", "evaluate needs --checkpoint, --data_path or both", "evaluate")
_refused("baseline_unknown", r"baseline 'crystal\\nball' is not one of", *EVALUATE, "--baselines", "crystal\nball")
_refused("input_length_zero", "input_length must be at least 1 frame", *EVALUATE, "--input_length", "0")
_refused("analyse_nothing", "checkpoint", *ANALYSE)


def _on_movies(name, rule, *arguments):
    """One more kind: a command that needs the data to see that it cannot be."""

    def make(folder):
        return [arguments[0], "--data_path", str(write(folder)), *arguments[1:]]

    make.__name__ = f"flag_{name}"
    return refused("flags", rule)(make)


_on_movies("windows_longer_than_the_data", "longer", "train", "--total_length", "50")
_on_movies("length_that_is_negative", "total_length|input_length", "train", "--total_length", "-3")
SHORT = ("--total_length", "4", "--input_length", "2")
_on_movies("crop_larger_than_frames", "crop 64 is larger than the frame", "train", "--crop", "64", *SHORT)
_on_movies(
    "thresholds_of_words", "thresholds: expected float values", "evaluate", "--thresholds", "a,b", "--num_steps", "1"
)
_on_movies("thresholds_of_nan", "threshold nan", "evaluate", "--thresholds", "nan", "--num_steps", "1")
_on_movies("windows_of_zero", "windows", "evaluate", "--windows", "0", "--num_steps", "1")
_on_movies("windows_of_words", "windows: expected int values", "evaluate", "--windows", "a", "--num_steps", "1")
_on_movies("steps_of_zero", "num_steps must be positive", "evaluate", "--num_steps", "0")
_on_movies(
    "cases_that_are_negative", "max_cases must not be negative", "evaluate", "--max_cases", "-1", "--num_steps", "1"
)
_on_movies("scaling_of_one_number", "scaling_range", "train", "--scaling_range", "3", *SHORT)
_on_movies("scaling_of_nan", "scaling", "train", "--scaling_range", "nan,1", *SHORT)


@refused("flags", "a.npy: not a .npy file")
def flag_data_that_is_text(folder):
    return ["train", "--data_path", str(write_bytes(folder, b"text"))]


@refused("flags", "a.txt is a file, --save_dir is a folder")
def flag_save_dir_that_is_a_file(folder):
    return ["train", "--data_path", str(write(folder)), "--save_dir", str(write_bytes(folder, b"", "a.txt")), *SHORT]


@refused("flags", r"a\\nb.npy: not a .npy file")
def flag_data_named_with_a_line_break(folder):
    return ["evaluate", "--data_path", str(write_bytes(folder, b"text", "a\nb.npy"))]
