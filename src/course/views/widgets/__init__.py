"""Live views of a model: given feeds and callbacks, they know nothing of what makes these.

```python
from course.views import RolloutTimeline, StrategyControl, TrafficView

TrafficView(run)                        # a feed of batches of answers
RolloutTimeline(feed)                   # a feed of samples of a Deployment's pods
StrategyControl(feed, {"start": …, "pause": shop.pause, "resume": shop.resume, "undo": shop.undo})
```

Each ends with its feed, at its `maximum`, or by its Stop button, and then leaves a picture and a
table in its place, so that a saved notebook shows them; `view.still()` gives the same at any time.
"""

from __future__ import annotations

from course.views.widgets.strategy import StrategyControl
from course.views.widgets.timeline import RolloutTimeline
from course.views.widgets.traffic import TrafficView

__all__ = ["RolloutTimeline", "StrategyControl", "TrafficView"]
