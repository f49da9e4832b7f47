#!/usr/bin/env bash
# Runs atlas:lab, lets it hang after 12 s, and prints each probe and change of health until 22 s.
set -euo pipefail
since=$(date +%s)
atlas=$(docker run --detach --label course.owner=course atlas:lab)
trap 'docker rm --force "$atlas" > /dev/null' EXIT
sleep 12
docker exec "$atlas" node -e "fetch('http://127.0.0.1:3000/hang', { method: 'POST' })" > /dev/null
sleep 10
docker events --since "$since" --until "$(date +%s)" --filter "container=$atlas" \
  --format '{{.TimeNano}} {{.Action}} {{with .Actor.Attributes.exitCode}}exit code {{.}}{{end}}' |
  awk '/ start|exec_start|exec_die|health_status/ {
    t = (substr($1, 1, 10) substr($1, 11, 2)) / 100; if (!first) first = t
    printf "%5.1f s  %s\n", t - first, substr($0, index($0, " ") + 1)
  }'
