"""Start states and checks of 01-containers."""

from __future__ import annotations

import json
import re
import secrets
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.lab import Lab, Served
from course.exercises.kit.reply import Ended, Heard, Reply
from course.exercises.kit.run_errors import no_reply
from course.exercises.kit.verdict import OLD_RUNTIME, WRONG_ANSWER, Wrong

_PORT = 3000
_NODE = 24
_SETTINGS = "docker image inspect price:lab --format '{{.Config.Env}}'"
_WHICH_NODE = "which Node does your FROM bring?   docker run --rm slug:lab node --version"


# -- containers-1


@dataclass(frozen=True)
class Titled(Facts):
    """What slug:lab made of a title."""

    title: str
    heard: Heard

    def wrong(self) -> Wrong | None:
        heard = self.heard
        if isinstance(heard, Ended) and "RegExp.escape" in heard.log:
            return Wrong(
                OLD_RUNTIME,
                saw=f"the container ended: {heard.line}",
                want=f"a runtime that knows what the program calls: Node {_NODE}",
                try_=_WHICH_NODE,
            )
        if isinstance(heard, Ended) and "Cannot find module" in heard.log:
            return Wrong(
                "missing-file",
                saw=f"the container ended: {heard.line}",
                want="slug.mjs in the image, where CMD looks for it",
                try_="docker run --rm slug:lab ls -l   shows what is in its working folder",
            )
        if isinstance(heard, Ended) and heard.code == 0:
            return Wrong(
                "exits-at-once",
                saw="the container ended at once, with exit code 0 and nothing said",
                want="a command that keeps running: the service",
                try_="docker image inspect slug:lab --format '{{.Config.Cmd}}'",
            )
        if not isinstance(heard, Reply):
            want = f"the service of slug.mjs, listening on {_PORT}"
            return no_reply(heard, "slug:lab", _PORT, want)
        if heard.field("slug") != _slug(self.title):
            return Wrong(
                WRONG_ANSWER,
                saw=f"for `{self.title}` it answers `{heard.field('slug')}`",
                want=f"`{_slug(self.title)}`, as slug.mjs computes it",
                try_="is the program in the image the one in your folder?   docker build again",
            )
        return None


@dataclass(frozen=True)
class Runtime(Facts):
    """Under what slug:lab runs."""

    said: str  # the version in its answers
    version: str  # what the program that serves says itself; empty where it is not called node
    size: int  # bytes of the image's layers

    def wrong(self) -> Wrong | None:
        major = re.match(r"v(\d+)\.", self.version)
        if major and int(major[1]) < _NODE:
            return Wrong(
                OLD_RUNTIME,
                saw=f"the program that serves is Node {self.version}; its answers say {self.said}",
                want=f"the service under Node {_NODE}, with slug.mjs as it is",
                try_=_WHICH_NODE,
            )
        if major and self.said != self.version:
            return Wrong(
                WRONG_ANSWER,
                saw=f"`node` in its answer is `{self.said}`; Node {self.version} serves",
                want="the answers of slug.mjs as it is",
                try_="did you change slug.mjs?   course reset containers-1   brings it back",
            )
        return None

    def notes(self) -> Iterator[str]:
        yield f"it ran under Node {self.said}, whatever this machine has"
        yield f"the image holds {self.size / 1e6:.0f} MB to run a program of less than 1 kB"


@exercise("containers-1", makes=("slug:lab",), start_cause="no-image")
class SlugRunsAlone:
    """An image of a small service, with the runtime that it needs."""

    def observe(self, lab: Lab) -> Observation:
        """Run the image with nothing of this machine and ask it about titles drawn now."""
        # Of its layers: the image's own `Size` counts packed copies too, on one of the stores.
        size = sum(step["Size"] for step in lab.image("slug:lab").history())
        with lab.observe("two starts of slug:lab"), lab.starts("slug:lab", port=_PORT) as starts:
            for served in starts:
                for form in ("Crème {}, brûlée!", "a_b  {}/Ç"):
                    title = form.format(lab.draw.word())
                    heard = served.hear(f"/?text={quote(title)}")
                    yield Titled(title, heard)
                yield Runtime(heard.field("node"), _node_version(served), size)


def _node_version(served: Served) -> str:
    for process in served.processes():
        program = process.command.partition(" ")[0]
        if program.rpartition("/")[2] == "node":
            return served.run(program, "--version")
    return ""


def _slug(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in folded if not unicodedata.category(c).startswith("M"))
    return re.sub(r"[ .,;:!?/_-]+", "-", plain.lower()).strip("-")


# -- containers-2


@dataclass(frozen=True)
class Alone(Facts):
    """How price:lab starts without its author's machine."""

    heard: Heard
    beside: str  # another tag of `price`, empty if there is none

    def wrong(self) -> Wrong | None:
        heard = self.heard
        if isinstance(heard, Ended) and "ENOENT" in heard.log:
            there = f"  (there is also `{self.beside}`)" if self.beside else ""
            return Wrong(
                "missing-data",
                saw=f"without the author's folder it ends: {heard.line}{there}",
                want="price:lab itself holds data/rates.json",
                try_="docker run --rm price:lab ls -R   shows what is in the image",
            )
        if isinstance(heard, Ended) and "PRICE_CURRENCY is not set" in heard.log:
            return Wrong(
                "missing-setting",
                saw="it has its rates, and ends: PRICE_CURRENCY is not set",
                want="the setting in the image, for the time it runs",
                try_=_SETTINGS,
            )
        if not isinstance(heard, Reply):
            want = f"the service of price.mjs, listening on {_PORT}"
            return no_reply(heard, "price:lab", _PORT, want)
        return None


@dataclass(frozen=True)
class Converted(Facts):
    """What price:lab made of an amount."""

    cents: int  # in euros
    got: str  # the cents of its answer
    currency: str  # of its answer
    rate: float  # of rates/rates.json
    old: float  # of rates.2025.json

    def wrong(self) -> Wrong | None:
        if self.currency != "CHF":
            return Wrong(
                "wrong-currency",
                saw=f"it answers in `{self.currency}`",
                want="`CHF`, the setting that run.sh lends it",
                try_=_SETTINGS,
            )
        got = int(self.got) if self.got.isdecimal() else -1
        if abs(got - self.rate * self.cents) <= 1:
            return None
        cause, why = "wrong-rate", f"a rate of {got / self.cents:.6f}".rstrip("0")
        if got < 0:
            why = f"no rate for CHF: for {self.cents} cents it answers `{self.got}`"
        elif abs(got - self.old * self.cents) <= 1:
            cause, why = "stale-rates", "the rate of rates.2025.json"
        elif got == self.cents:
            cause, why = "default-rate", "a rate of 1: the missing file was hidden, not supplied"
        return Wrong(
            cause,
            saw=f"it computes with {why}",
            want=f"the rate of rates/rates.json, {self.rate}",
            try_="docker run --rm price:lab cat data/rates.json   against   cat rates/rates.json",
        )

    def notes(self) -> Iterator[str]:
        yield "it started with no -v and no -e: all it needs travels with it"


@exercise("containers-2", image="price:lab", start_cause="missing-data")
class PriceNeedsNothing:
    """Break-it: an image that works only with what its author's machine lends it."""

    def begin(self, lab: Lab) -> None:
        """Write rates that no other learner has."""
        rate = round(0.9 + secrets.randbelow(900) / 10000, 4)
        old = round(rate + 0.0523, 4)
        lab.write("rates/rates.json", json.dumps({"EUR": 1, "CHF": rate}) + "\n")
        lab.write("rates.2025.json", json.dumps({"EUR": 1, "CHF": old}) + "\n")
        lab.remember("rate", str(rate))
        lab.remember("old", str(old))

    def observe(self, lab: Lab) -> Observation:
        """Run the image with no mount and no variable and ask it for prices drawn now."""
        rates = float(lab.recall("rate")), float(lab.recall("old"))
        with lab.observe("two starts of price:lab"), lab.starts("price:lab", port=_PORT) as starts:
            for served in starts:
                cents = lab.draw.number(10_000_000, 11_000_000)
                heard = served.hear(f"/?cents={cents}")
                yield Alone(heard, lab.other_tags("price:lab"))
                yield Converted(cents, heard.field("cents"), heard.field("currency"), *rates)


# -- containers-3


@dataclass(frozen=True)
class Released(Facts):
    """What the registry serves as `quote`, and what was tested."""

    registry: str
    made: str  # the id that quote:tested had at first
    tested: str  # the id that it has now
    old: str  # the digest that quote:1.0 had at first
    tags: Mapping[str, tuple[str, ...]]  # the digests by which each is known, the registry's first

    def wrong(self) -> Wrong | None:
        if self.tested != self.made:
            return Wrong(
                "tested-replaced",
                saw=f"`quote:tested` is now {_short(self.tested)}, another image than the tested "
                "one",
                want=f"`quote:tested` as it was: {_short(self.made)}",
                try_="course reset containers-3   gives it back; then move the other name",
            )
        if "1.0" not in self.tags:
            return Wrong(
                "gone",
                saw="the registry has no quote:1.0 at all",
                want="quote:1.0 is the tested image",
                try_=f"curl -s {self.registry}/v2/quote/tags/list",
            )
        served = self.tags["1.0"]
        if self.tested in served:
            return None
        want = f"the tested image, {_short(self.tested)}"
        try_ = f"docker buildx imagetools inspect {self.registry}/quote:1.0"
        if served[0] != self.old:
            return Wrong(
                "rebuilt",
                saw=f"the registry serves {_short(served[0])}: not the old image, not the tested",
                want=want,
                try_=f"{try_}   what does a second `docker build` make?",
            )
        others = [tag for tag, digests in self.tags.items() if self.tested in digests]
        if others:
            return Wrong(
                "wrong-tag",
                saw=f"the tested image is there as quote:{others[0]}; quote:1.0 is still the old "
                "one",
                want=f"quote:1.0 is {want}",
                try_=try_,
            )
        return Wrong(
            "not-pushed",
            saw=f"the registry serves the old image, {_short(served[0])}",
            want=want,
            try_="a tag on this machine says nothing to a registry: what sends an image there?",
        )

    def notes(self) -> Iterator[str]:
        yield f"one digest here and there: {self.tested[:19]}…"


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
        tested = str(lab.image("quote:tested").id)
        with lab.observe("the tags of quote"):
            found = {tag: lab.manifest("quote", tag) for tag in lab.tags("quote")}
        tags = {tag: _digests(*served) for tag, served in found.items() if served}
        yield Released(lab.registry, lab.recall("made"), tested, lab.recall("old"), tags)


def _edition(name: str) -> str:
    return f'console.log("quote, {name} edition {secrets.token_hex(4)}");\n'


def _digests(digest: str, body: Mapping[str, Any]) -> tuple[str, ...]:
    """All digests that may be an image's id here, on either of Docker's image stores."""
    config = body.get("config")
    inside = [config, *body.get("manifests", ())] if config else body.get("manifests", ())
    return (digest, *(str(one.get("digest")) for one in inside))


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]
