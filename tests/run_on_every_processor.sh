#!/usr/bin/env bash
# Shows that no test depends on the vector code of the processor, on the number of threads or on a quiet machine.
#
#   tests/run_on_every_processor.sh            everything: the whole suite three times, then the numeric tests
#   tests/run_on_every_processor.sh whole      the whole suite: on plain code, on AVX2, and on AVX2 beside four burners
#   tests/run_on_every_processor.sh numeric    the tests marked numeric under every pair of vector code and threads
#
# What comes after the first argument goes to pytest. PYTEST is the command to run, `uv run pytest` if it is not set.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

what="${1:-all}"
case "$what" in
  all | whole | numeric) shift $(($# > 0)) ;;
  *)
    echo "$0: $what is none of all, whole and numeric" >&2
    exit 2
    ;;
esac
read -r -a pytest <<<"${PYTEST:-uv run pytest}"

has() { # has avx2: whether the processor has it; without /proc/cpuinfo nothing is asked of it
  grep -qw "$1" /proc/cpuinfo 2>/dev/null
}

burning=()
stop() {
  ((${#burning[@]})) && kill "${burning[@]}" 2>/dev/null
  burning=()
}
trap stop EXIT
trap 'exit 130' INT TERM
burn() {
  for _ in 1 2 3 4; do
    sh -c "while kill -0 $$; do :; done" 2>/dev/null & # it ends with this script, however that ends
    burning+=($!)
  done
}

told=()
failed=0
run() { # run avx2 2 ...: pytest on this code with so many threads
  local code="$1" threads="$2" name="$1, $2 threads${burning[0]:+, beside four burners}"
  shift 2
  echo "=== $name: $*"
  local began=$SECONDS outcome=passed
  ATEN_CPU_CAPABILITY="$code" OMP_NUM_THREADS="$threads" "${pytest[@]}" "$@" || { outcome=FAILED && failed=1; }
  told+=("$outcome after $((SECONDS - began)) s: $name")
}

codes=(default)
has avx2 && codes+=(avx2)
has avx512f && has avx512bw && has avx512dq && has avx512vl && codes+=(avx512) # torch dies of it elsewhere
best=default
has avx2 && best=avx2

if [ "$what" != numeric ]; then
  run default 1 "$@"
  run "$best" 2 "$@"
  burn
  run "$best" 1 "$@"
  stop
fi
if [ "$what" != whole ]; then
  for code in "${codes[@]}"; do
    for threads in 1 2; do
      run "$code" "$threads" -m numeric "$@"
    done
  done
fi
printf '%s\n' "${told[@]}"
exit "$failed"
