"""Start states and checks of 01-containers.

Here: an image that runs alone, and one that needs nothing of its author's machine. What a registry
serves as the release is in `tested_release`.
"""

from __future__ import annotations

import json
import math
import re
import secrets
import shlex
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

from course.exercises import tested_release  # noqa: F401 - exercise 3
from course.exercises.kit import node_service, start_files
from course.exercises.kit.draw import Draw
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.lab import Lab
from course.exercises.kit.reply import Ended, Heard, Reply
from course.exercises.kit.run_errors import arguments_lost, no_reply
from course.exercises.kit.served import Served
from course.exercises.kit.verdict import OLD_RUNTIME, WRONG_ANSWER, Wrong

_PORT = 3000
_OK = 200

# -- containers-1

_NODE = 24
_WHICH_NODE = "which Node does your FROM bring?   docker run --rm --entrypoint node slug:lab -v"
_LIST = "docker run --rm --entrypoint ls slug:lab -R   shows what is in its working folder"
_COMMAND = "docker image inspect slug:lab --format '{{.Config.Entrypoint}} {{.Config.Cmd}}'"
_AS_IT_CAME = "docker build again; if slug.mjs was changed, course reset containers-1   first"
_TITLES = ("Crème {}, brûlée!", "a_b  {}/Ç", "Straße {}: Øl & Smørrebrød", "“{}” – Łódź?")
_LATIN = str.maketrans({"Æ": "Ae", "æ": "ae", "Ø": "O", "ø": "o", "Ł": "L", "ł": "l", "ß": "ss"})


@dataclass(frozen=True)
class Titled(Facts):
    """What slug:lab made of a title."""

    option: tuple[str, ...]  # that it was started with, the last word joins; or none
    title: str
    heard: Heard

    def wrong(self) -> Wrong | None:
        heard, options = self.heard, self.option
        ended = f"the container ended: {heard.line}" if isinstance(heard, Ended) else ""
        if ended and options:
            return arguments_lost("slug:lab", options, ended)
        if isinstance(heard, Ended) and "RegExp.escape" in heard.log:
            want = f"a runtime that knows what the program calls: Node {_NODE}"
            return Wrong(OLD_RUNTIME, saw=ended, want=want, try_=_WHICH_NODE)
        if isinstance(heard, Ended) and "Cannot find module" in heard.log:
            want = "every file of the program in the image, where the program looks for it"
            return Wrong("missing-file", saw=ended, want=want, try_=_LIST)
        if isinstance(heard, Ended) and heard.code == 0:
            saw = "the container ended at once, with exit code 0 and nothing said"
            want = "a command that keeps running: the service"
            return Wrong("exits-at-once", saw=saw, want=want, try_=_COMMAND)
        if not isinstance(heard, Reply):
            want = f"the service of slug.mjs on port {_PORT}, reached from outside the container"
            return no_reply(heard, "slug:lab", _PORT, want)
        got, want = _answered(heard, "slug"), _slug(self.title, *options[-1:])
        if got == _slug(self.title) != want:
            return arguments_lost("slug:lab", options, "it joins words by `-` all the same")
        if got != want:
            saw, want = f"for `{self.title}` it answers `{got}`", f"`{want}`, by slug.mjs"
            return Wrong(WRONG_ANSWER, saw=saw, want=want, try_=_AS_IT_CAME)
        return None


@dataclass(frozen=True)
class Runtime(Facts):
    """Under what slug:lab runs."""

    said: str  # the version in its answers
    running: tuple[str, ...]  # what the programs say that run, those that are Node
    size: int  # bytes of the image's layers

    def wrong(self) -> Wrong | None:
        old = [version for version in self.running if node_service.numbers(version)[0] < _NODE]
        if old:
            saw = f"the program that serves is Node {old[0]}; its answers say {self.said}"
            want = f"the service under Node {_NODE}, with slug.mjs as it is"
            return Wrong(OLD_RUNTIME, saw=saw, want=want, try_=_WHICH_NODE)
        if self.running and self.said not in self.running:
            saw = f"`node` in its answer is `{self.said}`; Node {self.running[0]} serves"
            return Wrong(WRONG_ANSWER, saw=saw, want="what slug.mjs answers", try_=_AS_IT_CAME)
        return None

    def notes(self) -> Iterator[str]:
        yield f"it ran under Node {self.said}, whatever this machine has"
        yield f"the image holds {self.size / 1e6:.0f} MB to run a program of 1 kB"


@exercise("containers-1", makes=("slug:lab",), start_cause="no-image")
class SlugRunsAlone:
    """An image that is used as the program in it was: alone, and with its options."""

    def observe(self, lab: Lab) -> Observation:
        """Run the image with nothing of this machine, then with an option that is drawn now."""
        # Of its layers: the image's own `Size` counts packed copies too, on one of the stores.
        size = sum(step["Size"] for step in lab.image("slug:lab").history())
        # In words that a shell, or who reads one word alone, takes for something else.
        option = ("--joint", f"{lab.draw.one_of('&;|')} {lab.draw.word(3)}")
        for told, once in ((), ""), (option, "it was started twice without an option"):
            contract = partial(_titled, told)
            run = lab.starts("slug:lab", _PORT, contract, arguments=told, once=once)
            with lab.observe(shlex.join(("docker", "run", "slug:lab", *told))), run as starts:
                for served in starts:
                    nodes = node_service.versions(served)
                    yield Runtime(served.hear("/").field("node"), nodes, size)


def _titled(option: tuple[str, ...], served: Served, draw: Draw) -> Iterator[Facts]:
    for title in (form.format(draw.word()) for form in _TITLES):
        yield Titled(option, title, served.hear(f"/?text={quote(title)}"))


def _answered(heard: Heard, name: str) -> str:
    """A field of an answer, and of an error its status too: a client takes it for no answer."""
    said = heard.field(name)
    return said if heard.status == _OK else f"status {heard.status}: {said}"


def _slug(text: str, joint: str = "-") -> str:
    folded = unicodedata.normalize("NFKD", text.translate(_LATIN))
    plain = "".join(c for c in folded if not unicodedata.category(c).startswith("M"))
    return joint.join(word for word in re.split(r"[ .,;:!?/_-]+", plain.lower()) if word)


# -- containers-2

_SETTINGS = "docker image inspect price:lab --format '{{.Config.Env}}'"
_FILES = "docker run --rm price:lab ls -R   shows what is in the image"
_RESET = "course reset containers-2   brings price.mjs back, and saves what you have first"
_BOTH = "docker run --rm price:lab cat data/rates.json   against   cat rates/rates.json"


@dataclass(frozen=True)
class Alone(Facts):
    """How price:lab starts without its author's machine."""

    heard: Heard
    beside: str  # another tag of `price`, empty if there is none

    def wrong(self) -> Wrong | None:
        heard = self.heard
        if isinstance(heard, Ended) and "ENOENT" in heard.log:
            there = f"  (there is also `{self.beside}`)" if self.beside else ""
            saw = f"without the author's folder it ends: {heard.line}{there}"
            want = "price:lab itself holds data/rates.json"
            return Wrong("missing-data", saw=saw, want=want, try_=_FILES)
        if isinstance(heard, Ended) and "PRICE_CURRENCY is not set" in heard.log:
            saw = "it has its rates, and ends: PRICE_CURRENCY is not set"
            want = "the setting in the image, for the time it runs"
            return Wrong("missing-setting", saw=saw, want=want, try_=_SETTINGS)
        if not isinstance(heard, Reply):
            want = f"the service of price.mjs on port {_PORT}, reached from outside the container"
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
    before: float = 0.0  # of the learner's rates.json, where the check has put another one

    def wrong(self) -> Wrong | None:
        if self.currency != "CHF":
            saw, want = (
                f"it answers in `{self.currency}`",
                "`CHF`, the setting that run.sh lends it",
            )
            return Wrong("wrong-currency", saw=saw, want=want, try_=_SETTINGS)
        got = int(self.got) if self.got.isdecimal() else -1
        due = _rounded(self.cents * self.rate)
        if got == due:
            return None
        if abs(got - due) <= 1:
            saw = (
                f"for {self.cents} cents it answers `{got}`: the rate is right, the last digit not"
            )
            want = f"`{due}`, as price.mjs rounds"
            return Wrong("wrong-rounding", saw=saw, want=want, try_=_RESET)
        if self.before and abs(got - self.before * self.cents) <= 1:
            saw = f"the check put other rates into data/rates.json; it still uses {self.before}"
            want = "price.mjs as it came, which reads its rates when it starts"
            return Wrong("rates-not-read", saw=saw, want=want, try_=_RESET)
        cause, why = "wrong-rate", f"a rate of {got / self.cents:.6f}".rstrip("0")
        if got < 0:
            why = f"no rate for CHF: for {self.cents} cents it answers `{self.got}`"
        elif abs(got - self.old * self.cents) <= 1:
            cause, why = "stale-rates", "the rate of rates.2025.json"
        elif got == self.cents:
            cause, why = "default-rate", "a rate of 1: the missing file was hidden, not supplied"
        saw, want = f"it computes with {why}", f"the rate of rates/rates.json, {self.rate}"
        return Wrong(cause, saw=saw, want=want, try_=_BOTH)

    def notes(self) -> Iterator[str]:
        yield "it started with no -v and no -e: all it needs travels with it"


@dataclass(frozen=True)
class Program(Facts):
    """The price.mjs beside which price:lab finds its rates."""

    text: str
    original: str

    def wrong(self) -> Wrong | None:
        if self.text.split() != self.original.split():
            saw = "price.mjs in the image is another than the one that you were given"
            want = "price.mjs as it came: what it asks for is there, and it still asks"
            return Wrong("program-changed", saw=saw, want=want, try_=_RESET)
        return None


@exercise("containers-2", image="price:lab", start_cause="missing-data")
class PriceNeedsNothing:
    """Break-it: an image that works only with what its author's machine lends it."""

    def begin(self, lab: Lab) -> None:
        """Write rates that no other learner has."""
        rate = round(0.9 + secrets.randbelow(900) / 10000, 4)
        old = round(rate + 0.0523, 4)
        for fact, name, chf in (
            ("rate", "rates/rates.json", rate),
            ("old", "rates.2025.json", old),
        ):
            lab.write(name, json.dumps({"EUR": 1, "CHF": chf}) + "\n")
            lab.remember(fact, str(chf))

    def observe(self, lab: Lab) -> Observation:
        """Run the image with no mount and no variable and ask it for prices drawn now."""
        rates = [float(lab.recall("rate")), float(lab.recall("old"))]

        def converted(served: Served, cents: int) -> Converted:
            heard = served.hear(f"/?cents={cents}")
            return Converted(cents, _answered(heard, "cents"), heard.field("currency"), *rates)

        def contract(served: Served, draw: Draw) -> Iterator[Facts]:
            yield Alone(served.hear("/?cents=1"), lab.other_tags("price:lab"))
            start = draw.number(10_000_000, 11_000_000)
            for cents in _beside_half(start, rates[0]):
                yield converted(served, cents)

        run = lab.starts("price:lab", _PORT, contract)
        with lab.observe("two starts of price:lab"), run as starts:
            for served in starts:
                yield converted(served, 1000)  # the text's own
                rates[:] = [lab.draw.number(6000, 9499) / 5000 + 0.0001, rates[1], rates[0]]
                served.put_beside("data/rates.json", json.dumps({"EUR": 1, "CHF": rates[0]}))
                served.restart("price:lab")
            text = served.read_beside("price.mjs")
            if text is not None:
                yield Program(text, start_files.original("containers-2", "price.mjs"))


def _rounded(exact: float) -> int:
    """Round as JavaScript does."""
    return math.floor(exact + 0.5)


def _beside_half(start: int, rate: float) -> tuple[int, int]:
    """Return two amounts whose prices are next to a half, one below it and one above it."""
    parts = {cents: cents * rate % 1 for cents in range(start, start + 1000)}
    below = max(parts, key=lambda cents: parts[cents] if parts[cents] < 0.4999 else 0)
    above = min(parts, key=lambda cents: parts[cents] if parts[cents] > 0.5001 else 1)
    return below, above
