"""Answers to the exercises of 01-containers."""

from __future__ import annotations

import json

from course.exercises.kit.lab import Lab
from tests.bank import Answer


def _build(lab: Lab, tag: str, dockerfile: str, *more: str) -> None:
    lab.write("Dockerfile", dockerfile)
    lab.run("docker", "build", "--quiet", *more, "--tag", tag, lab.folder())


_SLUG = 'FROM node:24-slim\nWORKDIR /app\nCOPY slug.mjs ./\nCMD ["node", "slug.mjs"]\n'
_HARD_CODED = """\
import { createServer } from "node:http";
createServer((request, response) => {
  response.end(JSON.stringify({ slug: "hello-world", node: "v24.0.0" }));
}).listen(3000);
"""


def _slug_on_another_port(lab: Lab) -> None:
    source = (lab.folder() / "slug.mjs").read_text()
    lab.write("slug.mjs", source.replace("listen(3000", "listen(8000"))
    _build(lab, "slug:lab", _SLUG)


def _slug_hard_coded(lab: Lab) -> None:
    lab.write("slug.mjs", _HARD_CODED)
    _build(lab, "slug:lab", _SLUG)


def _slug_without_copy(lab: Lab) -> None:
    _build(lab, "slug:lab", _SLUG.replace("COPY slug.mjs ./\n", ""))


_PRICE = """\
FROM node:24-slim
WORKDIR /app
COPY price.mjs ./
COPY rates/rates.json ./data/rates.json
ENV PRICE_CURRENCY=CHF
CMD ["node", "price.mjs"]
"""


def _price_hides_the_error(lab: Lab) -> None:
    source = (lab.folder() / "price.mjs").read_text()
    read = 'JSON.parse(readFileSync("data/rates.json", "utf8"))'
    assert read in source
    lab.write("price.mjs", source.replace(read, "{ EUR: 1, CHF: 1 }"))
    _build(lab, "price:lab", _PRICE.replace("COPY rates/rates.json ./data/rates.json\n", ""))


def _price_made_up(lab: Lab) -> None:
    lab.write("rates/made-up.json", json.dumps({"EUR": 1, "CHF": 0.5}))
    _build(lab, "price:lab", _PRICE.replace("rates/rates.json .", "rates/made-up.json ."))


def _price_committed(lab: Lab) -> None:
    # No Dockerfile: what the container lacks is put into one, and that one is kept.
    made = lab.run("docker", "create", "--label", "course.owner=course", "price:lab").strip()
    lab.run("docker", "cp", f"{lab.folder()}/rates", f"{made}:/app/data")
    lab.run("docker", "commit", "--change", "ENV PRICE_CURRENCY=CHF", made, "price:lab")
    lab.run("docker", "rm", made)


def _quote_name(lab: Lab, tag: str = "1.0") -> str:
    return f"{lab.registry}/quote:{tag}"


def _tag_and_push(lab: Lab, source: str, target: str) -> None:
    lab.run("docker", "tag", source, target)
    lab.run("docker", "push", "--quiet", target)


def _quote_tagged_here(lab: Lab) -> None:
    lab.run("docker", "tag", "quote:tested", _quote_name(lab))


def _quote_rebuilt(lab: Lab) -> None:
    lab.run("docker", "build", "--quiet", "--no-cache", "--tag", _quote_name(lab), lab.folder())
    lab.run("docker", "push", "--quiet", _quote_name(lab))


def _quote_test_moved(lab: Lab) -> None:
    # The release is not brought to the tested image: the name `tested` is brought to the release.
    lab.run("docker", "pull", "--quiet", _quote_name(lab))
    lab.run("docker", "tag", _quote_name(lab), "quote:tested")


def _quote_by_sdk(lab: Lab) -> None:
    image = lab.docker.images.get("quote:tested")
    image.tag(f"{lab.registry}/quote", "1.0")
    lab.docker.images.push(f"{lab.registry}/quote", "1.0")


def _quote_by_digest(lab: Lab) -> None:
    # Push under another name, then let the registry itself give that digest the released name.
    _tag_and_push(lab, "quote:tested", _quote_name(lab, "candidate"))
    lab.run(
        *("docker", "buildx", "imagetools", "create", "--tag", _quote_name(lab)),
        _quote_name(lab, "candidate"),
    )


BANK: dict[str, list[Answer]] = {
    "containers-1": [
        Answer(
            "built under the default tag",
            lambda w: _build(w, "slug:latest", _SLUG),
            "no-image",
            "wrong-name",
        ),
        Answer(
            "the runtime that is past its end of life",
            lambda w: _build(w, "slug:lab", _SLUG.replace("24", "20")),
            "old-runtime",
            "warned-means",
        ),
        Answer(
            "no COPY: it worked with a mount",
            _slug_without_copy,
            "missing-file",
            "works-once",
        ),
        Answer(
            "no CMD: the base image's own runs",
            lambda w: _build(w, "slug:lab", _SLUG.replace('CMD ["node", "slug.mjs"]\n', "")),
            "exits-at-once",
            "not-the-serving-object",
        ),
        Answer("an answer for one title", _slug_hard_coded, "wrong-answer", "special-cased"),
        Answer("another port", _slug_on_another_port, "no-answer", "wrong-name"),
        Answer(
            "a command that does not exist",
            lambda w: _build(
                w,
                "slug:lab",
                _SLUG.replace('["node", "slug.mjs"]', '["sh", "-c", "noode slug.mjs"]'),
            ),
            "crashes",
            "wrong-name",
        ),
        Answer("as in the solution", lambda w: _build(w, "slug:lab", _SLUG), "", "solution"),
        Answer(
            "an entry point, another folder, everything copied",
            lambda w: _build(
                w,
                "slug:lab",
                'FROM node:24-slim\nCOPY . /srv\nENTRYPOINT ["node", "/srv/slug.mjs"]\n',
            ),
            "",
            "alternative",
        ),
        Answer(
            "from Debian, with Node's files taken over",
            lambda w: _build(
                w,
                "slug:lab",
                "FROM debian:bookworm-slim\n"
                "COPY --from=node:24-slim /usr/local/bin/node /usr/local/bin/node\n"
                "COPY slug.mjs /slug.mjs\nCMD node /slug.mjs\n",
            ),
            "",
            "alternative",
        ),
    ],
    "containers-2": [
        Answer(
            "the repaired image under another name",
            lambda w: _build(w, "price:fixed", _PRICE),
            "missing-data",
            "not-the-serving-object",
        ),
        Answer(
            "a build argument: gone when it runs",
            lambda w: _build(
                w,
                "price:lab",
                _PRICE.replace("ENV PRICE_CURRENCY=CHF", "ARG PRICE_CURRENCY"),
                *("--build-arg", "PRICE_CURRENCY=CHF"),
            ),
            "missing-setting",
            "works-once",
        ),
        Answer("the error hidden", _price_hides_the_error, "default-rate", "symptom-hidden"),
        Answer(
            "last year's file",
            lambda w: _build(w, "price:lab", _PRICE.replace("rates/rates.json", "rates.2025.json")),
            "stale-rates",
            "stale",
        ),
        Answer(
            "the other currency",
            lambda w: _build(w, "price:lab", _PRICE.replace("=CHF", "=EUR")),
            "wrong-currency",
            "wrong-name",
        ),
        Answer("rates made up", _price_made_up, "wrong-rate", "special-cased"),
        Answer("as in the solution", lambda w: _build(w, "price:lab", _PRICE), "", "solution"),
        Answer(
            "the whole folder, and the setting in the command",
            lambda w: _build(
                w,
                "price:lab",
                "FROM node:24-slim\nWORKDIR /app\nCOPY price.mjs ./\nCOPY rates data/\n"
                'CMD ["sh", "-c", "PRICE_CURRENCY=CHF exec node price.mjs"]\n',
            ),
            "",
            "alternative",
        ),
        Answer("a container, filled and committed", _price_committed, "", "alternative"),
    ],
    "containers-3": [
        Answer(
            "a tag on this machine only",
            _quote_tagged_here,
            "not-pushed",
            "stale",
        ),
        Answer("built again", _quote_rebuilt, "rebuilt", "not-the-serving-object"),
        Answer(
            "pushed as latest",
            lambda w: _tag_and_push(w, "quote:tested", _quote_name(w, "latest")),
            "wrong-tag",
            "wrong-name",
        ),
        Answer(
            "the test moved to the release", _quote_test_moved, "tested-replaced", "symptom-hidden"
        ),
        Answer(
            "as in the solution",
            lambda w: _tag_and_push(w, "quote:tested", _quote_name(w)),
            "",
            "solution",
        ),
        Answer("with the SDK", _quote_by_sdk, "", "alternative"),
        Answer("by the registry", _quote_by_digest, "", "alternative"),
    ],
}
