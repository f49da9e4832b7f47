"""Name the first broken link of the chain of objects that a request passes.

```python
from course.measure import chain

found = chain.broken(chain.read())                          # the whole namespace
found = chain.broken(chain.read(host="shop-lab.course.localhost"))  # what is behind one name
if found:
    print(found.object, found.field, found.seen, found.proof)
```

The order is a request's: from the gateway to the process. The Kubernetes documentation asks about
a Service in the same order ("Debug Services": does it exist, is it defined correctly, has it
EndpointSlices, do the pods work), and the best-known flow chart (learnkube.com,
"A visual guide on troubleshooting Kubernetes deployments") in the opposite one, pods first. Both
end at the same place, since a link accuses only what is wrong in itself: a Service whose pods
crash has no endpoints, and it is the pods that are named. Within a pod the order is that of its
life: created, scheduled, its image, its configuration, who may call it, its process, its probes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from course.measure.chain.access import access
from course.measure.chain.config import config
from course.measure.chain.crash import crash
from course.measure.chain.created import created
from course.measure.chain.dependency import dependency
from course.measure.chain.endpoints import endpoints
from course.measure.chain.image import image
from course.measure.chain.ingress import ingress
from course.measure.chain.job import job
from course.measure.chain.objects import Broken, Chain
from course.measure.chain.policy import policy
from course.measure.chain.probe import probe
from course.measure.chain.read import read
from course.measure.chain.route import route
from course.measure.chain.scheduled import scheduled
from course.measure.chain.service import service

__all__ = ["LINKS", "Broken", "Chain", "broken", "read"]

LINKS: tuple[Callable[[Chain], Broken | None], ...] = (
    route,
    ingress,
    service,
    endpoints,
    created,
    scheduled,
    image,
    config,
    policy,
    access,
    dependency,
    crash,
    probe,
    job,
)
"""Every link, in the order of a request."""


def broken(chain: Chain) -> Broken | None:
    """Name the first link that does not hold.

    Args:
        chain: what `read` has read.

    Returns:
        What is wrong with it, and `None` where nothing is.
    """
    for link in LINKS:
        found = link(chain)
        if found:
            look = found.look or f"kubectl describe {found.object.lower()}"
            option = "" if "--all-namespaces" in look else chain.option
            return replace(found, link=link.__name__, look=f"{look} {option}".rstrip())
    return None
