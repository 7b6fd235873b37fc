#!/usr/bin/env bash
# All that is measured on a GPU, in less than 8 minutes: see gpu_suite.py.
#   benchmarks/gpu.sh --output gpu         # on a machine with a GPU
#   benchmarks/gpu.sh --rehearse           # the same with tiny sizes on a CPU
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
export XLA_PYTHON_CLIENT_PREALLOCATE=false # several processes share the device
export TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-2}"
exec "${PYTHON:-python3}" benchmarks/gpu_suite.py "$@"
