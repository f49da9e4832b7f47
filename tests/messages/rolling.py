"""Facts that provoke each message of 11-rolling."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from course.exercises.kit.claims import Claim
from course.exercises.kit.facts import Facts
from course.exercises.kit.shop_facts import Held
from course.exercises.rolling import Left, Whole
from course.exercises.strategy_choice import Decision, Duration, Pods
from course.exercises.stuck_release import Hung, Serving
from tests.exercises.shops import sample, tried
from tests.messages.shop import PULL

GOOD, BAD, OTHER = (f"sha256:{letter * 64}" for letter in "abc")
SERVING = Serving("r/shop-lab:1.1.0", "r/shop-lab:1.3.0-3fa2c1", GOOD, ("", ""), 2, 2, "")
HUNG = Hung(8, 8.9, "ProgressDeadlineExceeded", f"{PULL}", 2, 2, good_stalled=False)
NEVER = replace(HUNG, limit=600, noticed=0.0, reason="ReplicaSetUpdated")

TWO_AND_TWO = (sample(1, 4), sample(2, 2, 2), sample(8, 2, 2))
STRATEGY = '{"maxUnavailable": 2, "maxSurge": 0}'
ONE_BY_ONE = '{"maxUnavailable": 1, "maxSurge": 0}'


def four(*samples: Any, seconds: float = 13.0) -> Any:
    return tried(samples=samples or TWO_AND_TWO, seconds=seconds, desired=4)


FAST = Duration(four(), STRATEGY)
BUSY = (sample(1, 4), sample(3, 2, 2, "Pending"), sample(13, 2, 2))
MEASURED = {
    "one more": {"seconds": 24.0, "peak": 5, "fewest_ready": 4},
    "two fewer": {"seconds": 13.0, "peak": 4, "fewest_ready": 2},
}
DECISION = {"choice": "two fewer", "measured": MEASURED}


def decided(own: int = 2, duration: Duration = FAST, **decision: Any) -> Decision:
    """A decision, with changes of the file and of the figures in it."""
    figures = {name: {**those, **decision.pop(name[:3], {})} for name, those in MEASURED.items()}
    content = {"choice": "two fewer", "measured": figures, **decision}
    content = json.loads(json.dumps(content))
    return Decision(Claim("rolling-5/decision.json", content), duration, own)


MESSAGES: dict[str, dict[str, Facts]] = {
    "rolling-3": {
        "a hook of 12 s": Left("shop-lab-7d9f-x2x", 12.4),
        "a hook of 7 s": Left("shop-lab-7d9f-x2x", 7.6),
        "what was begun is answered at once": Whole(9.9, (1.52, 4.1, 5.2, 6.6, 9.93)),
        "one was late": Whole(9.9, (1.52, 3.2, 9.93)),
    },
    "rolling-4": {
        "nothing was done": Held(
            cause="still-stuck", message="1 of 2 updated", image="r/shop-lab:1.3.0", pod=PULL
        ),
        "the deadline, and no way back": Held(
            cause="only-noticed", message="1 of 2 updated", image="r/shop-lab:1.3.0", pod=PULL
        ),
        "the missing image was pushed": replace(SERVING, image="r/shop-lab:1.3.0-3fa2c1"),
        "forward to 1.2.0": replace(
            SERVING, image="r/shop-lab:1.2.0", other=("shop-lab-7d9f-x2x", OTHER), left=0
        ),
        "deleted and applied": replace(SERVING, left=0, made="2026-01-01T00:05:00Z"),
        "the good image, each pod replaced": replace(SERVING, left=0),
        "applied again, its pods kept": replace(SERVING, made="2026-01-01T00:05:00Z"),
        "nothing replaced": SERVING,
        "all pods at once": replace(HUNG, fewest_ready=0),
        "the condition by hand": replace(HUNG, limit=600, noticed=1.2),
        "the usual deadline": NEVER,
        "a deadline of 11 s": replace(HUNG, limit=11, noticed=10.9),
        "a deadline of 1 s": replace(HUNG, limit=1, noticed=1.8),
        "a deadline that good releases miss": replace(HUNG, good=9, good_stalled=True),
        "a deadline of 8 s": HUNG,
        "a deadline of 8 s, and a busy machine": replace(HUNG, noticed=13.2),
        "a deadline of 8 s that nobody keeps": replace(NEVER, limit=8),
    },
    "rolling-5": {
        "three pods": Pods(four(sample(1, 3)), STRATEGY),
        "five pods": Pods(four(sample(1, 4), sample(2.5, 4, 1)), "{}"),
        "one ready": Pods(four(sample(1, 4), sample(3, 1, 3)), STRATEGY),
        "four, and two": Pods(four(), STRATEGY),
        "four rounds": Duration(four(sample(1, 4), sample(3, 3, 1), seconds=26.3), ONE_BY_ONE),
        "two rounds that do not end": Duration(four(seconds=0), STRATEGY),
        "two rounds, and containers that started late": Duration(four(*BUSY, seconds=24), STRATEGY),
        "two rounds": FAST,
        "no file": Decision(
            Claim("rolling-5/decision.json", {}, "is not there", exists=False), FAST, 2
        ),
        "a figure that is none": decided(two={"seconds": "13 s"}),
        "a choice that was not measured": decided(choice="three fewer"),
        "none that breaks a limit": decided(one={"peak": 4, "seconds": 13}),
        "one release for two strategies": decided(own=1),
        "figures that four pods cannot give": decided(one={"seconds": 9.0}),
        "figures of another release": decided(two={"seconds": 2.0}),
        "pods of another release": decided(two={"peak": 5}),
        "both measured": decided(),
        "measured while the machine was not busy": decided(
            duration=Duration(four(*BUSY, seconds=27), STRATEGY)
        ),
    },
}
