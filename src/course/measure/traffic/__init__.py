"""Measured traffic: an open-loop load generator in a process of its own.

    from course import traffic
    run = traffic.start("http://orders.localhost:8080/", rate=500, seconds=30)
    for batch in run.follow():
        …
    print(run.wait().verdict)

It never looks a name up, and never runs in the notebook's kernel: drawing one picture there would
hold up a dozen sends. A claim is only as good as the generator's own punctuality, so each run
tells its blind time, and its verdict is `unknown` where a failure may have gone unseen.
"""

from __future__ import annotations

from course.measure.traffic.feed import Batch, Response
from course.measure.traffic.preflight import probe
from course.measure.traffic.runs import Run, join, running, start
from course.measure.traffic.summary import Summary

__all__ = ["Batch", "Response", "Run", "Summary", "join", "probe", "running", "start"]
