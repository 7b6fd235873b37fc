"""The flags of `predjax train`."""

from predjax import run_file
from predjax.flags import Parser, add_flags, parse_bool
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.models.scaling import KINDS
from predjax.radar.config import DataConfig
from predjax.training.config import TrainConfig


def make_parser() -> Parser:
    parser = Parser(
        prog="predjax train",
        description="Trains a model on radar movies, verifies it on held-out ones. Without flags: on sample movies.",
    )
    add = parser.add_argument_group("run").add_argument
    add("--train_data_paths", "--data_path", metavar="PATHS", help="files, folders, globs (default: the sample movies)")
    add("--valid_data_paths", metavar="PATHS", help="movies to validate on (default: held out of the training data)")
    add("--save_dir", metavar="DIR", help="checkpoints and results (default: runs/MODEL-UTC_TIME)")
    run_file.add_config(add)
    add("--resume", action="store_true", help="go on from the latest checkpoint of --save_dir")
    add("--overwrite", action="store_true", help="replace the run that --save_dir holds")
    text = "weights to start from: a checkpoint, or a PyTorch PredRNN's .ckpt (default: new ones)"
    add("--pretrained_model", metavar="FILE", help=text)
    text = "0: only verify --pretrained_model (default 1)"
    add("--is_training", type=parse_bool, default=True, metavar="0|1", help=text)
    add("--list_models", action="store_true", help="print what predjax models prints, and stop")
    add("--dry_run", action="store_true", help="print size, memory and time of the run, and stop")
    text = "frames of held-out cases at the end: .nc, .npy, .png, .gif (default: none)"
    add("--gen_frm_dir", metavar="DIR", help=text)
    add("--num_save_samples", type=int, default=10, metavar="N", help="cases of --gen_frm_dir (default 10)")
    text = "1: draw delta C against delta M (default 0)"
    add("--visual", type=parse_bool, default=False, metavar="0|1", help=text)
    add("--visual_path", metavar="DIR", help="folder of --visual (default: SAVE_DIR/visual)")
    text = "from frames to the network's numbers (default auto: by the data's unit)"
    add("--scaling", default="auto", choices=("auto", *KINDS), help=text)
    text = "values in the data's unit that become 0 and 1 (default: by the unit)"
    add("--scaling_range", default="", metavar="LOW,HIGH", help=text)
    text = "auto: mean 0, standard deviation 1, but not of physical (default auto)"
    add("--forcing_scaling", default="auto", choices=("auto", "none"), help=text)
    text = "event thresholds of the final table, in the data's unit: dBZ, mm/h ... (default: usual ones)"
    add("--thresholds", default="", metavar="X,X,...", help=text)
    add("--device", default="auto", metavar="NAME", help="cpu or cuda (default auto: what is there)")
    add = parser.add_argument_group("several processes (srun and mpirun say all of it themselves)").add_argument
    text = "where the first process waits for the others (default: as srun or mpirun say)"
    add("--coordinator", metavar="HOST:PORT", help=text)
    text = "processes that train together; 1 ignores srun and mpirun (default: as they say, or 1)"
    add("--num_processes", type=int, metavar="N", help=text)
    text = "which of them this one is, from 0 (default: as srun or mpirun say)"
    add("--process_id", type=int, metavar="I", help=text)
    add_flags(parser, ModelConfig, "model")
    add_flags(parser, TrainConfig, "training")
    add_flags(parser, SamplingConfig, "scheduled sampling (a STEP is an iteration, from 1)")
    add_flags(parser, DataConfig, "data")
    same = parser.add_argument_group("accepted for scripts of the PyTorch code").add_argument
    same("--num_layers", type=int, metavar="N", help="checked against num_hidden (default: not)")
    same("--dataset_name", metavar="NAME", help="read and not used: the files tell (default: none)")
    same("--injection_action", choices=("concat",), help="how actions go in (default concat)")
    return parser
