#!/bin/bash
# One run of a recipe on SLURM: Ray's head on the job's first node, a worker on each of the others, `curate` beside the head.
#   sbatch --nodes=4 --cpus-per-task=16 --mem=64G docker/slurm.sh /shared/recipe.yaml --set out=/shared/run
# Needs what docs/cluster.md asks of every node: one installation (RADSIFT_BIN: its bin folder; a module or a container will
# do), one file system at one path for archive, recipe and `out`, the secret as a file (RADSIFT_SECRET_FILE, or the recipe's).
# Killed by its time limit or by a node that died: submit the same line again, it goes on where it stopped.
#SBATCH --job-name=radsift
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --signal=B:TERM@120
set -euo pipefail

if [ $# -lt 1 ]; then
  echo "usage: sbatch [--nodes=N ...] slurm.sh RECIPE [curate run's options]" >&2
  exit 2
fi
recipe=$1
shift

export PATH="${RADSIFT_BIN:+$RADSIFT_BIN:}$PATH"
export RAY_USAGE_STATS_ENABLED=0 HF_HUB_DISABLE_TELEMETRY=1
port=${RADSIFT_RAY_PORT:-6379}
cpus=${SLURM_CPUS_PER_TASK:-$(nproc)}

# Who reaches Ray's port runs code on every node: a token for this job alone, on the shared file system, readable by its owner.
umask 077
token=$(mktemp "${RADSIFT_SHARED:-$PWD}/.ray-token-XXXXXXXX")
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$token"
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$token

nodes=()
while read -r node; do nodes+=("$node"); done < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
first=${nodes[0]}
address=$(srun --nodes=1 --ntasks=1 --nodelist="$first" hostname --ip-address | awk '{print $1}'):$port

started=()
# shellcheck disable=SC2317  # called by the trap
stop() {
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done  # srun has SLURM kill the step
  wait || true
  rm -f "$token" "$token.step"
}
trap stop EXIT

start() { # start NODE ray's arguments...: in the background, for as long as the job lasts
  local node=$1
  shift
  srun --nodes=1 --ntasks=1 --nodelist="$node" --overlap --export=ALL ray start "$@" --num-cpus="$cpus" --block &
  started+=("$!")
}

start "$first" --head --node-ip-address="${address%:*}" --port="$port" --include-dashboard=false
until srun --nodes=1 --ntasks=1 --nodelist="$first" --overlap ray health-check --address="$address" >/dev/null 2>&1; do
  kill -0 "${started[0]}" || { echo "Ray's head did not start on $first" >&2; exit 1; }
  sleep 3
done
for node in "${nodes[@]:1}"; do start "$node" --address="$address"; done

secret=()
if [ -n "${RADSIFT_SECRET_FILE:-}" ]; then secret=(--set "secret=$RADSIFT_SECRET_FILE"); fi
# shellcheck disable=SC2016  # the step's own number
srun --nodes=1 --ntasks=1 --nodelist="$first" --overlap sh -c 'echo "$SLURM_STEP_ID" >"$0"; exec "$@"' "$token.step" \
  curate run "$recipe" --set engine.kind=ray --set "engine.address=$address" "${secret[@]}" "$@" &
driver=$!
# A limit that nears: what is committed stays. By scancel, since of a srun that is told to end SLURM kills the step.
stopped=
trap 'stopped=yes; scancel --signal=TERM "$SLURM_JOB_ID.$(cat "$token.step")" || true' TERM INT
code=0
wait "$driver" || code=$?
if [ -n "$stopped" ]; then code=0; wait "$driver" || code=$?; fi  # the signal ended the first wait
exit "$code"
