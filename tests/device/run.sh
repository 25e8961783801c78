#!/usr/bin/env bash
# Everything that needs a real GPU, in under eight minutes: the tests of this folder, then costs of the networks of two
# suites with random weights, saved as a baseline. NAME is what the baseline is called, such as h200.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
name="${1:?usage: tests/device/run.sh NAME}"
runs="$(mktemp -d)"
trap 'rm -rf "$runs"' EXIT

uv run pytest -n 0 tests/device
for suite in pose segmentation; do
  # Costs only: no data set, no weights, one cell of three seconds for each network.
  uv run hrbench run "suites/$suite.yaml" --only "${HRBENCH_ONLY:-*}" --device "${HRBENCH_DEVICE:-cuda}" \
    --set dataset=none --set weights=none --set cost.latency.batch=1 --set cost.latency.budget=3 --out "$runs/$suite"
  uv run hrbench baseline save "$runs/$suite" "$name-$suite" --note "costs of randomly initialised networks"
done
