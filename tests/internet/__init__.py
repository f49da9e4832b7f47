"""A simulated internet on this machine: what learners pull and download.

| module | its one job |
|---|---|
| `web` | requests, answers, faults; the names of the sites |
| `hub` | Docker Hub: registry, tokens, the CDN, the limit |
| `published` | images as publishers push them, out of what `docker save` gives |
| `releases` | the release hosts, at the catalogue's URLs, with the publishers' checksum files |
| `gate` | the ways in: a proxy, direct connections, a mirror |
| `machine` | a machine behind it: a network, processes and a Docker of its own |
| `road` | `make start` from nothing on such a machine |
"""
