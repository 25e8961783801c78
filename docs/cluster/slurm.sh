#!/bin/bash
#SBATCH --job-name=hrbench
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=4
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@180
#
# sbatch slurm.sh SUITE [OPTIONS of hrbench run]
#
# Starts Ray on all nodes of the job, one process of Slurm each, and runs the suite on them. The head of Ray and hrbench
# are on the first node. hrbench, Ray and Python must be on the path of every node, in the same versions.
# Three minutes before the time is over hrbench is told to end: complete results are stored, and the same command goes
# on where it stopped.

set -u
head=$SLURMD_NODENAME
port=$((20000 + SLURM_JOB_ID % 10000))
address=$head:$port
export RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export RAY_AUTH_TOKEN
options=(--block --disable-usage-stats --num-cpus="$SLURM_CPUS_PER_TASK")

fail() {
  echo "slurm.sh: $1" >&2
  exit 3
}

step() { # options of srun, then the command
  exec srun --ntasks-per-node=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" "$@"
}

alive() { # how many nodes have joined
  RAY_ADDRESS=$address python -c '
import ray
ray.init(log_to_driver=False, logging_level="CRITICAL")
print(sum(node["Alive"] for node in ray.nodes()))' 2>/dev/null || echo 0
}

steps=()
trap 'kill "${steps[@]}" 2>/dev/null; wait' EXIT
trap 'fail "told to end before the suite began"' TERM

step --nodes=1 --ntasks=1 --nodelist="$head" ray start --head --port="$port" --include-dashboard=false "${options[@]}" &
steps+=($!)
until (: <"/dev/tcp/$head/$port") 2>/dev/null; do
  kill -0 "${steps[0]}" 2>/dev/null || fail "Ray did not start on $head"
  ((SECONDS < 300)) || fail "Ray does not answer at $address"
  sleep 0.5
done

others=$((SLURM_JOB_NUM_NODES - 1))
if ((others > 0)); then
  step --nodes="$others" --ntasks="$others" --exclude="$head" ray start --address="$address" "${options[@]}" &
  steps+=($!)
fi

# hrbench splits entries by the devices that are there when it begins.
until joined=$(alive) && ((joined >= SLURM_JOB_NUM_NODES)); do
  ((SECONDS < 600)) || fail "$joined of $SLURM_JOB_NUM_NODES nodes have joined Ray at $address"
  sleep 1
done

RAY_ADDRESS=$address hrbench run --executor ray --plain "$@" &
run=$!
trap 'kill -TERM "$run"' TERM # in the background bash leaves SIGINT ignored, so hrbench is told by SIGTERM
code=0
wait "$run" || code=$?
while kill -0 "$run" 2>/dev/null; do # the first wait ends at the signal
  code=0
  wait "$run" || code=$?
done
exit "$code"
