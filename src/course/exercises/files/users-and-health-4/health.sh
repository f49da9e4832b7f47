#!/bin/bash
# The probe: exit code 0 if atlas answers 200, else 1. It waits as long as it may.
exec 3<> /dev/tcp/127.0.0.1/3000 || exit 1
printf 'GET /health HTTP/1.0\r\n\r\n' >&3
read -r _ status _ <&3
[ "$status" = 200 ]
