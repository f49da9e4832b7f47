#!/usr/bin/env bash
# Runs courier:lab beside a queue, takes the queue away, and prints what Docker says of its health.
set -euo pipefail
cd "$(dirname "$0")"
network="courier-try-$$"
docker network create --label course.owner=course "$network" > /dev/null
trap 'docker rm --force "${queue:-}" "${courier:-}" > /dev/null 2>&1 || true
      docker network rm "$network" > /dev/null' EXIT
run() { docker run --detach --label course.owner=course --network "$network" "$@"; }
queue=$(run --network-alias queue --volume "$PWD/queue.mjs:/queue.mjs:ro" \
  node:24-slim node /queue.mjs)
courier=$(run courier:lab)
watch() {
  for _ in 1 2 3 4 5 6; do
    sleep 1
    docker inspect "$courier" --format \
      "$1: {{if .State.Health}}{{.State.Health.Status}}{{else}}no health check{{end}}"
  done
}
watch "with its queue"
docker kill "$queue" > /dev/null
watch "queue is gone "
echo "the last probes, exit code and output:"
docker inspect "$courier" --format \
  '{{if .State.Health}}{{range .State.Health.Log}}{{.ExitCode}} {{.Output}}
{{end}}{{end}}' | sed '/^$/d'
