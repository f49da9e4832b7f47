#!/usr/bin/env bash
# Stops report:lab in the middle of a request: its processes, the answer, the seconds, the code.
set -euo pipefail
report=$(docker run --detach --label course.owner=course --publish 127.0.0.1::3000 report:lab)
trap 'docker rm --force "$report" > /dev/null' EXIT
at=$(docker port "$report" 3000/tcp)
for _ in $(seq 40); do curl --silent "http://$at/" && break; sleep 0.25; done
docker top "$report" -eo pid,ppid,args
# As a load balancer does, this client keeps its connection: it reads until the service closes it.
client() {
  exec 3<> "/dev/tcp/${at/://}"
  printf 'GET /report?n=4 HTTP/1.1\r\nHost: report\r\n\r\n' >&3
  cat <&3
}
client &
# A spare connection, on which nothing is asked yet.
exec 4<> "/dev/tcp/${at/://}"
sleep 0.4
TIMEFORMAT="docker stop took %R s"
{ time docker stop -t 5 "$report" > /dev/null; } 2>&1
wait
docker inspect --format 'exit code {{.State.ExitCode}}' "$report"
