"""containers-3: a registry serves the image that was tested, under the name of the release."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.lab import Lab
from course.exercises.kit.verdict import Wrong
from course.measure.registry_client import short


@dataclass(frozen=True)
class Released(Facts):
    """What the registry serves as `quote`, and what was tested."""

    registry: str
    made: str  # the id that quote:tested had at first
    tested: str  # the id that it has now; not looked at where the registry serves that image
    old: str  # the digest that quote:1.0 had at first
    tags: Mapping[str, tuple[str, ...]]  # the digests by which each is known, the registry's first
    lost: tuple[str, ...] = ()  # the digests of what quote:1.0 consists of and is not there

    def wrong(self) -> Wrong | None:
        if self.lost:
            saw = f"quote:1.0 names the tested image, but the registry lacks {short(self.lost[0])}"
            want = "quote:1.0 can be pulled: all that it consists of is there"
            try_ = f"docker push {self.registry}/quote:1.0   sends again what is not there"
            return Wrong("not-whole", saw=saw, want=want, try_=try_)
        if self.made in self.tags.get("1.0", ()):
            return None
        tested = short(self.tested)
        if self.tested != self.made:
            saw = f"`quote:tested` is now {tested}, another image than the tested one"
            want = f"`quote:tested` as it was: {short(self.made)}"
            try_ = "course reset containers-3   gives it back; then move the other name"
            return Wrong("tested-replaced", saw=saw, want=want, try_=try_)
        if "1.0" not in self.tags:
            try_ = f"curl -s {self.registry}/v2/quote/tags/list"
            saw, want = "the registry has no quote:1.0 at all", "quote:1.0 is the tested image"
            return Wrong("gone", saw=saw, want=want, try_=try_)
        served = self.tags["1.0"]
        now, want = short(served[0]), f"quote:1.0 is the tested image, {tested}"
        try_ = f"docker buildx imagetools inspect {self.registry}/quote:1.0"
        if served[0] != self.old:
            saw = f"the registry serves {now}: not the old image, not the tested"
            try_ += "   what does a second `docker build` make?"
            return Wrong("rebuilt", saw=saw, want=want, try_=try_)
        others = [tag for tag, digests in self.tags.items() if self.tested in digests]
        if others:
            saw = f"the tested image is there as quote:{others[0]}; quote:1.0 is still the old one"
            return Wrong("wrong-tag", saw=saw, want=want, try_=try_)
        try_ = "a tag on this machine says nothing to a registry: what sends an image there?"
        return Wrong(
            "not-pushed", saw=f"the registry serves {now}, the old image", want=want, try_=try_
        )

    def notes(self) -> Iterator[str]:
        yield f"one digest here and there: {self.made[:19]}…"


@exercise("containers-3", image="quote:tested", start_cause="not-pushed")
class RegistryServesTested:
    """A registry's tag that points to another image than the one that was tested."""

    def begin(self, lab: Lab) -> None:
        """Release an older edition; the folder then holds the one that is tested."""
        name = f"{lab.registry}/quote:1.0"
        lab.write("quote.mjs", _edition("old"))
        lab.build(name)
        lab.remember("old", lab.push(name, "quote:1.0"))
        lab.write("quote.mjs", _edition("tested"))

    def observe(self, lab: Lab) -> Observation:
        """Ask the registry what it serves, and compare digests."""
        made = lab.recall("made")
        with lab.observe("the tags of quote"):
            tags = lab.digests("quote")
            released = made in tags.get("1.0", ())
            lost = lab.lost("quote", "1.0") if released else ()
        # Whoever has released it may give its name here to the next one.
        tested = made if released else str(lab.image("quote:tested").id)
        yield Released(lab.registry, made, tested, lab.recall("old"), tags, lost)


def _edition(name: str) -> str:
    return f'console.log("quote, {name} edition {secrets.token_hex(4)}");\n'
