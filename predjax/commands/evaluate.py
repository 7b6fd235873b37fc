"""`predjax evaluate`: the skill of a model or of baselines as a table, and the frames as files."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from predjax import run_file
from predjax.commands import one_line_errors
from predjax.flags import Command, Group, from_dict, select
from predjax.jobs.options import EvaluateOptions, EvaluationFiles, RunFlags
from predjax.messages import show_wait
from predjax.radar.areas.config import AreaScoringOptions
from predjax.radar.config import DataConfig
from predjax.verification.protocols.config import ProtocolOptions

if TYPE_CHECKING:
    from predjax.jobs.evaluate import Comparison

COMMAND = Command(
    "predjax evaluate",
    "Scores a trained model beside baselines; writes its frames.",
    (
        Group("evaluation", EvaluateOptions),
        Group("evaluation", EvaluationFiles),
        Group("evaluation", RunFlags),
        Group("published scores", ProtocolOptions),
        Group("areas", AreaScoringOptions),
        Group("data", DataConfig),
    ),
)


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Errors: see `one_line_errors`."""
    values = run_file.collect(COMMAND, arguments)
    reading = tuple(select(DataConfig, values).items())
    on_areas = AreaScoringOptions(**select(AreaScoringOptions, values))
    protocol = ProtocolOptions(**select(ProtocolOptions, values))
    nested: dict[str, Any] = {"on_areas": on_areas, "on_protocol": protocol, "reading": reading}
    options = EvaluateOptions(**select(EvaluateOptions, values), **nested)
    files = EvaluationFiles(**select(EvaluationFiles, values))
    with show_wait("starting"):
        from predjax.jobs import session
        from predjax.jobs.evaluate import run
        from predjax.jobs.evaluation_files import write_files
        from predjax.jobs.inspect import describe_labels

    def begin(comparison: "Comparison") -> None:
        cases = comparison.cases
        length = cases.input_length + cases.num_steps
        print(describe_labels(cases.sources, length, from_dict(DataConfig, dict(reading))), flush=True)

    session.start(RunFlags(**select(RunFlags, values)).device)
    evaluation = run(options, files, begin)
    if files.output and (own := run_file.find_own(files.output)):
        run_file.write(own, run_file.list_changed(COMMAND, values))
    for line in write_files(evaluation, files):
        print(line)
    return 0
