"""Watch and control one Deployment, as `kubectl rollout` does, without starting a process.

```python
from course.measure import Rollout

shop = Rollout("shop")                  # in the namespace of the kubeconfig's context
feed = shop.watch()                     # its pods, by version and readiness, as they change
shop.set_image("shop=localhost:5001/orders:1.1.0")
shop.pause(); shop.resume(); shop.undo()
shop.wait(60)                           # complete, stalled or paused
feed.samples()                          # every change since `watch`
feed.stop()
```

Nothing of a rollout lives in this process: after a dead kernel, `Rollout("shop")` finds it again.
"""

from __future__ import annotations

from course.measure.rollout.control import Rollout
from course.measure.rollout.feed import Feed
from course.measure.rollout.history import Gap, Sample
from course.measure.rollout.status import Pod, State, Status, Waiting

__all__ = ["Feed", "Gap", "Pod", "Rollout", "Sample", "State", "Status", "Waiting"]
