"""One change of a Deployment, seen from both sides: its pods, and the requests sent meanwhile."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from course.pictures import COLORS, Picture, picture
from course.rollout import Feed, Sample
from course.text import cut
from course.traffic import Run, Summary

NOT_READY = "answered with an error by a pod that could not serve yet"
NONE_KNOWN = "refused by the gateway, which knew no ready pod"
GONE = "lost on a pod that was gone or did not listen"
SLOW = "not answered in time"
_SLOT = 0.25


@dataclass(frozen=True)
class Failure:
    """One request that failed.

    Args:
        at: seconds since the change's zero at which it was to be sent.
        error: see `traffic.Answer`.
        version: who answered; empty if it was the gateway, or nobody.
        until: when it had failed, on the same clock.
    """

    at: float
    error: str
    version: str
    until: float = 0.0

    @property
    def why(self) -> str:
        """Who failed it: a pod, the gateway for want of one, or the way between them."""
        if self.version:
            return NOT_READY
        if self.error == "timeout":
            return SLOW
        # The gateway's own 503 means that the Service has no address; a pod's names its version.
        return NONE_KNOWN if self.error == "503" else GONE


@dataclass(frozen=True)
class Release:
    """What was seen.

    Args:
        summary: the traffic's figures.
        failures: the requests that failed, in order.
        samples: the Deployment's pods as they changed.
        zero: where on the samples' clock the failures' times begin.
        blind_ms: the longest time for which the generator stood still.
    """

    summary: Summary
    failures: tuple[Failure, ...]
    samples: tuple[Sample, ...]
    zero: float
    blind_ms: float

    def why(self, reason: str) -> list[Failure]:
        """The failures of one reason, see `Failure.why`."""
        return [failure for failure in self.failures if failure.why == reason]

    @cached_property
    def during(self) -> tuple[Sample, ...]:
        """The samples from zero on, with the state that it found."""
        before = [s for s in self.samples if s.at < self.zero][-1:]
        return (*before, *(s for s in self.samples if s.at >= self.zero))

    @property
    def found(self) -> int:
        """The ready pods that zero found."""
        return _serving(self.during[0])

    @property
    def fullest(self) -> Sample:
        """The first moment with the most pods."""
        return max(self.during, key=_there)

    @property
    def emptiest(self) -> Sample:
        """The first moment with the fewest ready pods."""
        return min(self.during, key=_serving)

    @property
    def peak(self) -> int:
        """The most pods at one time, but for those on their way out and those that have ended."""
        return _there(self.fullest)

    @property
    def fewest(self) -> int:
        """The fewest ready pods at one time."""
        return _serving(self.emptiest)


def _there(sample: Sample) -> int:
    return sum(pod.counts for pod in sample.pods)


def _serving(sample: Sample) -> int:
    return sum(pod.ready and pod.counts for pod in sample.pods)


def read(run: Run, feed: Feed, zero: float | None = None) -> Release:
    """Put the records of a run and of a feed on one clock.

    Args:
        run: the traffic.
        feed: the pods.
        zero: the moment on the feed's clock that counts as 0; by default the traffic's start.
    """
    start = (run.started or feed.began) - feed.began
    zero = start if zero is None else zero
    batches = run.batches()
    failures = [
        Failure(
            round(start - zero + answer.intended, 3),
            answer.error,
            answer.version,
            round(start - zero + answer.intended + answer.latency_ms / 1000, 3),
        )
        for batch in batches
        for answer in batch.answers
        if answer.error
    ]
    stood = max((seconds for batch in batches for _, seconds in batch.blind), default=0.0)
    return Release(
        run.summary(),
        tuple(sorted(failures, key=lambda failure: failure.at)),
        tuple(feed.samples()),
        zero,
        round(stood * 1000, 1),
    )


def release_picture(run: Run, feed: Feed, what: str) -> Picture:
    """The pods and the failed requests of a change on one axis of time.

    Args:
        run: the traffic.
        feed: the pods.
        what: what was changed, for the title.
    """
    import matplotlib.pyplot as plt

    from course.widgets.timeline import TimelineModel

    seen = read(run, feed)
    model = TimelineModel()
    for sample in seen.samples:
        model.add(sample)
    figure, (above, below) = plt.subplots(
        2,
        1,
        figsize=(9, 1.9 + 0.24 * len(model.bars) + 1.3),
        sharex=True,
        height_ratios=(max(3, len(model.bars)) * 0.24, 1.3),
    )
    end = max(seen.summary.seconds, model.now - seen.zero)
    _draw_pods(above, model, seen.zero, end)
    colors = {
        NOT_READY: (COLORS[5], "////"),
        NONE_KNOWN: (COLORS[2], "xx"),
        GONE: (COLORS[3], ""),
        SLOW: (COLORS[6], ".."),
    }
    slots = [round(i * _SLOT, 2) for i in range(int(end / _SLOT) + 1)]
    bottom = [0] * len(slots)
    counts = {reason: len(seen.why(reason)) for reason in colors}
    for reason, (color, hatch) in colors.items():
        if not counts[reason]:
            continue
        at = Counter(int(failure.at / _SLOT) for failure in seen.why(reason))
        heights = [at.get(i, 0) for i in range(len(slots))]
        label = f"{counts[reason]:,} {reason}"
        below.bar(
            slots,
            heights,
            _SLOT,
            bottom,
            align="edge",
            color=color,
            hatch=hatch,
            edgecolor="white",
            linewidth=0,
            label=label,
        )
        bottom = [low + high for low, high in zip(bottom, heights, strict=True)]
    below.set(
        xlabel="seconds",
        ylabel=f"failed in {_SLOT:g} s",
        xlim=(0, end),
        ylim=(0, max(4, max(bottom) * 1.15)),
    )
    if seen.failures:
        below.legend(loc="upper center", bbox_to_anchor=(0.5, -0.42), frameon=False, fontsize=8)
    else:
        below.text(0.5, 0.5, "no request failed", transform=below.transAxes, ha="center")
        below.set_yticks([0])
    said = finding(seen)
    above.set_title(f"{what}: {said}", loc="left", fontsize=10, pad=20, wrap=True)
    for axes in (above, below):
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    rows: list[tuple[str, object]] = [("requests planned", f"{seen.summary.planned:,}")]
    rows += [(reason, f"{count:,}") for reason, count in counts.items()]
    rows += [("answered by " + v, f"{n:,}") for v, n in seen.summary.by_version.items()]
    rows += [
        ("most pods, those leaving left aside", seen.peak),
        ("fewest ready pods", seen.fewest),
        ("blind, in all", f"{seen.summary.blind_ms:.0f} ms"),
    ]
    return picture(figure, alt=f"{what}: {said}.", header=("what", "count"), rows=rows)


def finding(seen: Release) -> str:
    """What a change did to the traffic, in a few words."""
    failed, planned = len(seen.failures), seen.summary.planned
    if not failed:
        return seen.summary.verdict
    reason, count = Counter(f.why for f in seen.failures).most_common(1)[0]
    most = "all" if count == failed else f"{count:,}"
    return f"{failed:,} of {planned:,} failed, {most} {reason}"


def _draw_pods(axes: Any, model: Any, zero: float, end: float) -> None:
    """Each pod as a bar: hollow while it is not ready, thin on its way out."""
    from course.widgets.timeline import ENDING, GONE, READY

    bars = [bar for bar in model.bars if bar.state != GONE or bar.changes[-1][0] > zero]
    # The first two colours, as in the live views; failures have the others.
    colors = {name: COLORS[i % 2] for i, name in enumerate(sorted(model.versions))}
    for row, bar in enumerate(bars):
        color = colors[model.versions[bar.version - 1]]
        ends = [at for at, _ in bar.changes[1:]] + [end + zero]
        for (at, state), until in zip(bar.changes, ends, strict=True):
            if state == GONE:
                continue
            axes.barh(
                row,
                until - at,
                0.25 if state == ENDING else 0.7,
                at - zero,
                facecolor=color if state == READY else "white",
                edgecolor=color,
                linewidth=0 if state == READY else 1.3,
            )
    names = [
        f"{cut(bar.name.rsplit('-', 1)[-1], 20)} {cut(model.versions[bar.version - 1], 30)}"
        for bar in bars
    ]
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.text(
        1.0,
        1.02,
        "filled: ready, hollow: not ready, thin: on its way out",
        transform=axes.transAxes,
        ha="right",
        va="bottom",
        fontsize=8,
    )
