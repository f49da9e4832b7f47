#!/usr/bin/env bash
# How the author runs it. "Works on my machine."
docker run --rm --publish 127.0.0.1:3100:3000 \
  --volume "$PWD/rates:/app/data:ro" --env PRICE_CURRENCY=CHF price:lab
