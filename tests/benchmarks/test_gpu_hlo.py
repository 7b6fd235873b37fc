"""What the benchmark of the GPU program reads in the text of a compiled program."""

import importlib
import sys

from tiny import ROOT

sys.path.append(str(ROOT / "benchmarks"))
hlo = importlib.import_module("gpu_hlo")

PROGRAM = """HloModule jit_step, is_scheduled=true

%fused (param_0: f32[4]) -> f32[4] {
  %param_0 = f32[4]{0} parameter(0)
  ROOT %add.1 = f32[4]{0} add(%param_0, %param_0)
}

%captured (param_1: f32[4]) -> f32[4] {
  %param_1 = f32[4]{0} parameter(0)
  ROOT %fusion.3 = f32[4]{0} fusion(%param_1), kind=kLoop, calls=%fused
}

%body (state: (s32[], f32[4])) -> (s32[], f32[4]) {
  %state = (s32[], f32[4]{0}) parameter(0)
  %x = f32[4]{0} get-tuple-element(%state), index=1
  %c.1 = (f32[4]{0}, u8[0]{0}) custom-call(%x, %x), dim_labels=b01f_o01i->b01f, custom_call_target="__cudnn$convForward"
  %call.1 = f32[4]{0} call(%x), to_apply=%captured
  %copy.1 = f32[4]{0} copy(%call.1)
  ROOT %next = (s32[], f32[4]{0}) tuple(%state, %copy.1)
}

%ends (state.1: (s32[], f32[4])) -> pred[] {
  %state.1 = (s32[], f32[4]{0}) parameter(0)
  ROOT %constant.1 = pred[] constant(true)
}

ENTRY %main (x.1: f32[4]) -> f32[4] {
  %x.1 = f32[4]{0} parameter(0)
  %gemm.1 = (bf16[4]{0}, s8[64]{0}) custom-call(%x.1, %x.1), custom_call_target="__cublas$lt$matmul"
  %a = (s32[], f32[4]{0}) tuple(%x.1, %x.1)
  %while.1 = (s32[], f32[4]{0}) while(%a), condition=%ends, body=%body, backend_config={"known_trip_count":{"n":"19"}}
  %while.2 = (s32[], f32[4]{0}) while(%a), condition=%ends, body=%body
  ROOT %fusion.1 = f64[4]{0} fusion(%x.1), kind=kLoop, calls=%fused
}
"""


def test_launches_of_a_loop_count_as_often_as_it_runs():
    found = hlo.describe(PROGRAM)
    # 2 outside, 3 in each body: the convolution, what the call starts, the copy.
    assert [(loop["trips"], loop["launches"]) for loop in found["loops"]] == [(1, 2), (19, 3), (None, 3)]
    assert (found["launches"], found["loops_of_unknown_length"]) == (2 + 19 * 3 + 3, 1)
    assert found["loops"][1]["starts"] == {"__cudnn$convForward": 1, "kernel": 1, "copy": 1}


def test_types_layouts_and_what_must_not_be_are_found():
    found = hlo.describe(PROGRAM)
    assert found["convolutions"] == {"f32 b01f_o01i->b01f": 1} and found["products"] == {"bf16": 1}
    assert (found["float64"], found["callbacks"], found["tf32"]) == (1, 0, 1)
    exact = hlo.describe(PROGRAM.replace("dim_labels", "operand_precision={highest,highest}, dim_labels"))
    host = hlo.describe(PROGRAM.replace("__cublas$lt$matmul", "xla_ffi_python_gpu_callback"))
    assert (exact["tf32"], host["callbacks"]) == (0, 1)
    solved = hlo.describe(PROGRAM.replace("__cublas$lt$matmul", "__cublas$triangularSolve"))
    assert solved["products"] == {}  # a solution is not a product: its precision is that of its type
