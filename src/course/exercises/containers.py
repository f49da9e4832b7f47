"""Start states and checks of 01-containers."""

from __future__ import annotations

import json
import math
import re
import secrets
import unicodedata
from urllib.parse import quote

from course.exercises.kit.exercise import exercise
from course.exercises.kit.lab import Lab, Served
from course.exercises.kit.verdict import OLD_RUNTIME, WRONG_ANSWER, Wrong

_PORT = 3000

_SLUG = """\
// Turns a title into a part of a web address: GET /?text=Hello World -> {"slug": "hello-world"}
import { createServer } from "node:http";

const separators = new RegExp(`[${RegExp.escape(" .,;:!?/_-")}]+`, "gu");

function slug(text) {
  return text
    .normalize("NFKD")
    .replace(/\\p{M}/gu, "")
    .toLowerCase()
    .replace(separators, "-")
    .replace(/^-|-$/g, "");
}

createServer((request, response) => {
  const text = new URL(request.url, "http://service").searchParams.get("text") ?? "";
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ slug: slug(text), node: process.version }));
}).listen(3000, () => console.log("slug listens on 3000"));
"""


@exercise("containers-1")
class SlugRunsAlone:
    """An image of a small service, with the runtime that it needs."""

    def begin(self, lab: Lab) -> None:
        """A program, and no image of it."""
        lab.rename_existing("slug:lab")
        lab.write("slug.mjs", _SLUG)

    def check(self, lab: Lab) -> None:
        """Run the image with nothing of this machine and ask it about words made up now."""
        image = lab.image("slug:lab")
        words = [f"Crème {secrets.token_hex(3)}, brûlée!", f"a_b  {secrets.token_hex(3)}/Ç"]
        with lab.observe("a run of slug:lab"), lab.container("slug:lab", port=_PORT) as served:
            status, body = served.get(f"/?text={quote(words[0])}")
            if status == 0:
                raise self._why_silent(served)
            answers = [body, served.get(f"/?text={quote(words[1])}")[1]]
        for word, answer in zip(words, answers, strict=True):
            got = _field(answer, "slug")
            if got != _slug(word):
                raise Wrong(
                    WRONG_ANSWER,
                    saw=f"for `{word}` it answers `{got}`",
                    want=f"`{_slug(word)}`, as slug.mjs computes it",
                    try_="is the program in the image the one in your folder?   docker build again",
                )
        version = _field(answers[0], "node")
        lab.note(f"it ran under Node {version}, whatever this machine has")
        # Of its layers: the image's own `Size` counts packed copies too, on one of the stores.
        size = sum(step["Size"] for step in image.history())
        lab.note(f"the image holds {size / 1e6:.0f} MB to run a {len(_SLUG)} byte program")

    def _why_silent(self, served: Served) -> Wrong:
        log, code = served.log(), served.exit_code()
        if "RegExp.escape" in log:
            return Wrong(
                OLD_RUNTIME,
                saw=f"the container ended: {served.last_line()}",
                want="a runtime that knows what the program calls: Node 24",
                try_="which Node does your FROM bring?   docker run --rm slug:lab node --version",
            )
        if "Cannot find module" in log:
            return Wrong(
                "missing-file",
                saw=f"the container ended: {served.last_line()}",
                want="slug.mjs in the image, where CMD looks for it",
                try_="docker run --rm slug:lab ls -l   shows what is in its working folder",
            )
        if code == 0:
            return Wrong(
                "exits-at-once",
                saw="the container ended at once, with exit code 0 and nothing said",
                want="a command that keeps running: the service",
                try_="docker image inspect slug:lab --format '{{.Config.Cmd}}'",
            )
        return served.why_no_answer("slug:lab", f"the service of slug.mjs, listening on {_PORT}")


def _field(body: str, name: str) -> str:
    try:
        return str(json.loads(body).get(name))
    except (ValueError, AttributeError):
        return body[:60]


def _slug(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in folded if not unicodedata.category(c).startswith("M"))
    return re.sub(r"[ .,;:!?/_-]+", "-", plain.lower()).strip("-")


_PRICE = """\
// A price in another currency: GET /?cents=1000 -> {"cents": 951, "currency": "CHF"}
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const rates = JSON.parse(readFileSync("data/rates.json", "utf8"));
const currency = process.env.PRICE_CURRENCY;
if (!currency) throw new Error("PRICE_CURRENCY is not set");

createServer((request, response) => {
  const cents = Number(new URL(request.url, "http://service").searchParams.get("cents"));
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ cents: Math.round(cents * rates[currency]), currency }));
}).listen(3000, () => console.log("price listens on 3000"));
"""
_PRICE_DOCKERFILE = """\
FROM node:24-slim
WORKDIR /app
COPY price.mjs ./
CMD ["node", "price.mjs"]
"""
_PRICE_RUN = """\
#!/usr/bin/env bash
# How the author runs it. "Works on my machine."
docker run --rm --publish 127.0.0.1:3100:3000 \\
  --volume "$PWD/rates:/app/data:ro" --env PRICE_CURRENCY=CHF price:lab
"""


@exercise("containers-2")
class PriceNeedsNothing:
    """Break-it: an image that works only with what its author's machine lends it."""

    def begin(self, lab: Lab) -> None:
        """A service whose image lacks a folder and a setting, and the script that lends both."""
        lab.rename_existing("price:lab")
        rate = round(0.9 + secrets.randbelow(900) / 10000, 4)
        old = round(rate + 0.0523, 4)
        lab.write("price.mjs", _PRICE)
        lab.write("Dockerfile", _PRICE_DOCKERFILE)
        lab.write("run.sh", _PRICE_RUN).chmod(0o755)
        lab.write("rates/rates.json", json.dumps({"EUR": 1, "CHF": rate}) + "\n")
        lab.write("rates.2025.json", json.dumps({"EUR": 1, "CHF": old}) + "\n")
        lab.remember("rate", str(rate))
        lab.remember("old", str(old))
        lab.run("docker", "build", "--quiet", "--tag", "price:lab", lab.folder())
        lab.record_start_image("price:lab")

    def check(self, lab: Lab) -> None:
        """Run the image with no mount and no variable and ask it for a price."""
        lab.image("price:lab")
        rate, old = float(lab.recall("rate")), float(lab.recall("old"))
        cents = 10_000_000 + secrets.randbelow(1_000_000)
        with (
            lab.observe("a run of price:lab"),
            lab.container("price:lab", port=_PORT) as served,
        ):
            status, body = served.get(f"/?cents={cents}")
            if status == 0:
                raise self._why_silent(lab, served)
        currency, got = _field(body, "currency"), _field(body, "cents")
        if currency != "CHF":
            raise Wrong(
                "wrong-currency",
                saw=f"it answers in `{currency}`",
                want="`CHF`, the setting that run.sh lends it",
                try_="docker image inspect price:lab --format '{{.Config.Env}}'",
            )
        try:
            seen = float(got) / cents
        except ValueError:
            seen = math.nan  # its rates do not have the currency
        if abs(seen - rate) * cents <= 1:
            lab.note("it started with no -v and no -e: all it needs travels with it")
            return
        if abs(seen - old) < 1e-6:
            cause, why = "stale-rates", "the rate of rates.2025.json"
        elif abs(seen - 1) < 1e-6:
            cause, why = "default-rate", "a rate of 1: the missing file was hidden, not supplied"
        else:
            cause, why = "wrong-rate", f"a rate of {seen:.4f}"
        raise Wrong(
            cause,
            saw=f"it computes with {why}",
            want=f"the rate of rates/rates.json, {rate}",
            try_="docker run --rm price:lab cat data/rates.json   against   cat rates/rates.json",
        )

    def _why_silent(self, lab: Lab, served: Served) -> Wrong:
        log = served.log()
        other = lab.other_tags("price:lab")
        if "ENOENT" in log:
            saw = f"without the author's folder it ends: {served.last_line()}"
            return Wrong(
                "missing-data",
                saw=saw + (f"  (there is also `{other}`)" if other else ""),
                want="price:lab itself holds data/rates.json",
                try_="docker run --rm price:lab ls -R   shows what is in the image",
            )
        if "PRICE_CURRENCY is not set" in log:
            return Wrong(
                "missing-setting",
                saw="it has its rates, and ends: PRICE_CURRENCY is not set",
                want="the setting in the image, for the time it runs",
                try_="docker image inspect price:lab --format '{{.Config.Env}}'",
            )
        return served.why_no_answer("price:lab", f"the service of price.mjs, listening on {_PORT}")


_QUOTE_DOCKERFILE = """\
FROM node:24-slim
WORKDIR /app
COPY quote.mjs ./
CMD ["node", "quote.mjs"]
"""


@exercise("containers-3")
class RegistryServesTested:
    """A registry's tag that points to another image than the one that was tested."""

    def begin(self, lab: Lab) -> None:
        """A tested image here, and an older one in the registry under the released name."""
        lab.rename_existing("quote:tested")
        name = f"{lab.registry}/quote:1.0"
        lab.write("Dockerfile", _QUOTE_DOCKERFILE)
        for edition in ("old", "tested"):
            nonce = secrets.token_hex(4)
            lab.write("quote.mjs", f'console.log("quote, {edition} edition {nonce}");\n')
            tag = name if edition == "old" else "quote:tested"
            lab.run("docker", "build", "--quiet", "--tag", tag, lab.folder())
        lab.run("docker", "push", "--quiet", name)
        served = lab.manifest("quote", "1.0")
        lab.remember("old", served[0] if served else "")
        lab.record_start_image("quote:tested")

    def check(self, lab: Lab) -> None:
        """Ask the registry what it serves as quote:1.0 and compare digests."""
        tested = lab.image("quote:tested")
        if tested.id != lab.recall("made"):
            raise Wrong(
                "tested-replaced",
                saw=f"`quote:tested` is now {_short(tested.id)}, another image than the tested one",
                want=f"`quote:tested` as it was: {_short(lab.recall('made'))}",
                try_="course reset containers-3   gives it back; then move the other name",
            )
        served = lab.manifest("quote", "1.0")
        if served is None:
            raise Wrong(
                "gone",
                saw="the registry has no quote:1.0 at all",
                want="quote:1.0 is the tested image",
                try_=f"curl -s {lab.registry}/v2/quote/tags/list",
            )
        if tested.id in _digests(served):
            lab.note(f"one digest here and there: {served[0][:19]}…")
            return
        want = f"the tested image, {_short(tested.id)}"
        try_ = f"docker buildx imagetools inspect {lab.registry}/quote:1.0"
        if served[0] != lab.recall("old"):
            raise Wrong(
                "rebuilt",
                saw=f"the registry serves {_short(served[0])}: not the old image, not the tested",
                want=want,
                try_=try_ + "   what does a second `docker build` make?",
            )
        for tag in lab.tags("quote"):
            other = lab.manifest("quote", tag)
            if tag != "1.0" and other and tested.id in _digests(other):
                raise Wrong(
                    "wrong-tag",
                    saw=f"the tested image is there as quote:{tag}; quote:1.0 is still the old one",
                    want=f"quote:1.0 is {want}",
                    try_=try_,
                )
        raise Wrong(
            "not-pushed",
            saw=f"the registry serves the old image, {_short(served[0])}",
            want=want,
            try_="a tag on this machine says nothing to a registry: what sends an image there?",
        )


def _digests(served: tuple[str, dict[str, object]]) -> set[str]:
    """All digests that may be an image's id here, on either of Docker's image stores."""
    digest, body = served
    found = {digest}
    config = body.get("config")
    if isinstance(config, dict):
        found.add(str(config.get("digest")))
    manifests = body.get("manifests")
    if isinstance(manifests, list):
        found |= {str(m.get("digest")) for m in manifests}
    return found


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]
