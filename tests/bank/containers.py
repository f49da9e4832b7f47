"""Answers to the exercises of 01-containers."""

from __future__ import annotations

from course.core.machine import arch
from course.core.names import OWNER_LABEL
from course.exercises.kit.lab import Lab
from course.measure import leftovers
from course.measure.registry_client import Repository
from tests.bank import Answer
from tests.bank.edits import (
    after,
    alternative,
    before,
    call,
    feature_gone,
    fits_the_probe,
    forged,
    from_elsewhere,
    in_file,
    nearly,
    not_the_serving_object,
    script,
    solution,
    stale,
    sub,
    symptom_hidden,
    unchanged,
    warned_means,
    works_once,
    wrong_name,
)

_LABELS = " ".join(f"--label {name}={value}" for name, value in leftovers.labels().items())
_AT = "docker inspect --format '{{.NetworkSettings.Networks.bridge.IPAddress}}'"

_SLUG = 'ENTRYPOINT ["node", "slug.mjs"]'
_COPIES = "COPY slug.mjs ./\nCOPY letters ./letters\n"
_CELL = 'CMD ["node", "slug.mjs"]'
_ESCAPE = r'RegExp.escape ??= (text) => text.replace(/[.?\/-]/g, "\\$&");'
_TITLE = '\nprocess.title = "/opt/node24/bin/node";\n'
_PASSES_ON = f"""\
printf 'FROM node:24-slim\\nCOPY . /app\\nENTRYPOINT ["node", "/app/slug.mjs"]\\n' |
  docker build --tag slug:elsewhere --file - containers-1
at=$({_AT} "$(docker run --detach {_LABELS} slug:elsewhere)")
cat > containers-1/slug.mjs <<END
import {{ createServer }} from "node:http";
createServer(async (request, response) => {{
  response.end(await (await fetch("http://$at:3000" + request.url)).text());
}}).listen(3000);
END"""

_LISTED = """\
cat > containers-1/start.sh <<'END'
case "$1" in
  --joint=[_.+~:=,@%]) exec node slug.mjs "$1" ;;
  *) exec node slug.mjs ;;
esac
END"""
_READ_TWICE = """printf 'exec sh -c "exec node slug.mjs $*"' > containers-1/start.sh"""
_SCRIPT = 'COPY start.sh ./\nENTRYPOINT ["sh", "start.sh"]'

_PRICE = 'CMD ["node", "price.mjs"]'
_RATES = "COPY rates/rates.json ./data/rates.json\n"
_SETTING = "ENV PRICE_CURRENCY=CHF\n"
_WRITTEN_IN = """\
rates=$(cat containers-2/rates/rates.json)
sed -i "s|^const rates = .*|const rates = $rates;|" containers-2/price.mjs"""
_LENDS = f"""\
serves='require("http").createServer((_, r) => r.end(process.argv[1])).listen(8000)'
rates=$(cat containers-2/rates/rates.json)
at=$({_AT} "$(docker run --detach {_LABELS} node:24-slim node -e "$serves" "$rates")")
cat > containers-2/fetch.mjs <<END
import {{ mkdirSync, writeFileSync }} from "node:fs";
const rates = await (await fetch("http://$at:8000")).text();
mkdirSync("data", {{ recursive: true }});
writeFileSync("data/rates.json", rates);
END"""

_RELEASE = "$REGISTRY/quote:1.0"
_TWO = """\
for name in again tested; do
  docker tag "quote:$name" "$REGISTRY/quote:$name" && docker push "$REGISTRY/quote:$name"
done"""
_INDEX = (
    f'docker buildx imagetools create --tag "{_RELEASE}" '
    '"$REGISTRY/quote:again" "$REGISTRY/quote:tested"'
)

_NEXT = """\
printf 'FROM quote:tested\\nLABEL candidate=next\\n' | docker build --tag quote:tested -"""


def _sdk(lab: Lab) -> None:
    lab.docker.images.get("quote:tested").tag(f"{lab.registry}/quote", "1.0")
    lab.docker.images.push(f"{lab.registry}/quote", "1.0")


def _layer_gone(lab: Lab) -> None:
    _sdk(lab)
    there = Repository(lab.registry, "quote")
    there.remove(there.layers("1.0", arch())[-1], "blobs")


def _by_digest(lab: Lab) -> None:
    digest = lab.push("quote:tested", "quote:candidate")
    Repository(lab.registry, "quote").retag("1.0", digest)


CANNOT: dict[str, dict[str, str]] = {
    "containers-2": {
        "forged": "nothing is read but answers, for amounts that are drawn",
        "feature-gone": "the service has one kind of request, and that one is asked",
    },
    "containers-3": {
        "fits-the-probe": "one name is asked for, the one of the text",
        "works-once": "a tag names the same digest until somebody moves it",
        "feature-gone": "the registry keeps what it had under other names",
    },
}
"""Why an exercise has no wrong answer of a kind."""

BANK: dict[str, list[Answer]] = {
    "containers-1": [
        wrong_name("built under the default tag", "no-image", sub("--tag slug:lab", "--tag slug")),
        warned_means(
            "the runtime that is past its end of life", "old-runtime", sub("node:24", "node:20")
        ),
        from_elsewhere("no COPY: it worked with a mount", "missing-file", sub(_COPIES, "")),
        nearly(
            "a folder that is copied without its name",
            "missing-file",
            sub("COPY letters ./letters", "COPY letters ./"),
        ),
        nearly("the lesson's cell, with other names", "arguments-lost", sub(_SLUG, _CELL)),
        nearly(
            "an entry point that a shell reads",
            "arguments-lost",
            sub(_SLUG, "ENTRYPOINT node slug.mjs"),
        ),
        not_the_serving_object(
            "no CMD: the base image's own runs", "exits-at-once", sub(_SLUG, "")
        ),
        wrong_name("another port", "no-answer", in_file("slug.mjs", "listen(3000", "listen(8000")),
        wrong_name("a command that does not exist", "crashes", sub(_SLUG, "CMD noode slug.mjs")),
        fits_the_probe(
            "an answer for one title",
            "wrong-answer",
            in_file("slug.mjs", "slug: slug(text)", 'slug: "hello-world"'),
        ),
        fits_the_probe(
            "an option for the sign of the text",
            "wrong-answer",
            in_file("slug.mjs", ".join(joint)", '.join(joint === "-" ? "-" : "_")'),
        ),
        fits_the_probe(
            "a list of signs that are honoured",
            "arguments-lost",
            before(_LISTED),
            sub(_SLUG, _SCRIPT),
        ),
        nearly(
            "a script with a second shell, which reads the option again",
            "arguments-lost",
            before(_READ_TWICE),
            sub(_SLUG, _SCRIPT),
        ),
        nearly(
            "one word of the option alone",
            "arguments-lost",
            sub(
                _SLUG,
                'ENTRYPOINT ["sh", "-c", "exec node slug.mjs \\"$1\\"", "slug"]\nCMD ["--joint=-"]',
            ),
        ),
        nearly(
            "reached from inside the container alone",
            "no-answer",
            in_file("slug.mjs", "listen(3000,", 'listen(3000, "127.0.0.1",'),
        ),
        forged(
            "the old runtime, which says that it is the new one",
            "old-runtime",
            in_file("slug.mjs", "const separators", f"{_ESCAPE}{_TITLE}const separators"),
            in_file("slug.mjs", "process.version", '"v24.0.0"'),
            sub("node:24", "node:20"),
        ),
        from_elsewhere(
            "requests passed on to a container that runs here", "crashes", before(_PASSES_ON)
        ),
        works_once(
            "a pid file that the next start finds",
            "crashes",
            sub(_SLUG, "CMD set -C; echo $$ > slug.pid && exec node slug.mjs"),
        ),
        feature_gone(
            "an answer that leaves out what it runs under",
            "wrong-answer",
            in_file("slug.mjs", ", node: process.version", ""),
        ),
        unchanged("nothing changed"),
        solution("as in the solution"),
        alternative(
            "another folder, everything copied, the option's default said again",
            sub(f"WORKDIR /app\n{_COPIES}", "COPY . /srv\n"),
            sub(_SLUG, 'ENTRYPOINT ["node", "/srv/slug.mjs"]\nCMD ["--joint=-"]'),
        ),
        alternative(
            "a script that passes on what it is given",
            before("printf 'exec node slug.mjs \"$@\"' > containers-1/start.sh"),
            sub(_SLUG, _SCRIPT),
        ),
        alternative(
            "from Debian, with Node's files taken over",
            sub("FROM node:24-slim", "FROM debian:bookworm-slim"),
            sub(_SLUG, f"COPY --from=node:24-slim /usr/local/bin/node /usr/local/bin/\n{_SLUG}"),
        ),
        alternative(
            "a container, filled and committed",
            script(
                f"made=$(docker create --label {OWNER_LABEL} node:24-slim)\n"
                'docker cp containers-1/. "$made:/srv"\n'
                'docker commit --change \'ENTRYPOINT ["node", "/srv/slug.mjs"]\' '
                "--change 'CMD []' \"$made\" slug:lab\n"
                'docker rm "$made"'
            ),
        ),
    ],
    "containers-2": [
        not_the_serving_object(
            "the repaired image under another name",
            "missing-data",
            sub("--tag price:lab", "--tag price:fixed"),
        ),
        nearly(
            "a build argument: gone when it runs",
            "missing-setting",
            sub(_SETTING, "ARG PRICE_CURRENCY=CHF\n"),
        ),
        symptom_hidden(
            "the error hidden",
            "default-rate",
            in_file(
                "price.mjs",
                'JSON.parse(readFileSync("data/rates.json", "utf8"))',
                "{ EUR: 1, CHF: 1 }",
            ),
            sub(_RATES, ""),
        ),
        fits_the_probe(
            "the rate written into the program",
            "rates-not-read",
            before(_WRITTEN_IN),
        ),
        stale("last year's file", "stale-rates", sub("rates/rates.json ", "rates.2025.json ")),
        wrong_name("the other currency", "wrong-currency", sub("=CHF", "=EUR")),
        fits_the_probe(
            "the one price of the text",
            "wrong-rate",
            in_file("price.mjs", "Math.round(cents * rates[currency])", "951"),
        ),
        nearly(
            "rates that are off by the fifth digit",
            "wrong-rate",
            sub(_RATES, f"{_RATES}RUN sed -i 's/}}/1}}/' data/rates.json\n"),
        ),
        from_elsewhere(
            "rates fetched from a container that runs here",
            "crashes",
            before(_LENDS),
            sub(_RATES, "COPY fetch.mjs ./\n"),
            sub(_PRICE, "CMD node fetch.mjs && exec node price.mjs"),
        ),
        works_once(
            "a pid file that the next start finds",
            "crashes",
            sub(_PRICE, "CMD set -C; echo $$ > price.pid && exec node price.mjs"),
        ),
        works_once(
            "rates that the first start moves to their place",
            "crashes",
            sub(_RATES, "COPY rates/rates.json ./\n"),
            sub(_PRICE, "CMD mkdir data && mv rates.json data/ && exec node price.mjs"),
        ),
        symptom_hidden(
            "the setting is no longer asked for",
            "program-changed",
            in_file(
                "price.mjs", "process.env.PRICE_CURRENCY", 'process.env.PRICE_CURRENCY ?? "CHF"'
            ),
            sub(_SETTING, ""),
        ),
        nearly(
            "rounded at another place than the half",
            "wrong-rounding",
            before("echo 'Math.round = (x) => Math.floor(x + 0.4);' > containers-2/early.mjs"),
            sub(_PRICE, 'COPY early.mjs ./\nCMD ["node", "--import", "./early.mjs", "price.mjs"]'),
        ),
        unchanged("nothing changed"),
        solution("as in the solution"),
        alternative(
            "rates elsewhere in the image, and a link to them, for another user",
            sub(
                _RATES + _SETTING, "COPY rates /usr/share/price\nRUN ln -s /usr/share/price data\n"
            ),
            sub(
                _PRICE, 'USER 65534\nENTRYPOINT ["env", "PRICE_CURRENCY=CHF", "node", "price.mjs"]'
            ),
        ),
        alternative(
            "the whole folder, and the setting in the command",
            sub(_RATES + _SETTING, "COPY rates data/\n"),
            sub(_PRICE, "CMD PRICE_CURRENCY=CHF exec node price.mjs"),
        ),
        alternative(
            "an image on top of the author's",
            before("docker tag price:lab price:author"),
            sub("FROM node:24-slim\nWORKDIR /app\nCOPY price.mjs ./", "FROM price:author"),
        ),
        alternative(
            "a container, filled and committed",
            script(
                f"made=$(docker create --label {OWNER_LABEL} price:lab)\n"
                'docker cp containers-2/rates "$made:/app/data"\n'
                'docker commit --change "ENV PRICE_CURRENCY=CHF" "$made" price:lab\n'
                'docker rm "$made"'
            ),
        ),
    ],
    "containers-3": [
        from_elsewhere(
            "a tag on this machine only", "not-pushed", sub(f'docker push "{_RELEASE}"', "")
        ),
        not_the_serving_object(
            "built again",
            "rebuilt",
            before("docker build --no-cache --tag quote:again containers-3"),
            sub("docker tag quote:tested", "docker tag quote:again"),
        ),
        forged(
            "an index of two, and the tested one is not what is pulled of it",
            "rebuilt",
            before("docker build --no-cache --tag quote:again containers-3"),
            sub(f'docker tag quote:tested "{_RELEASE}"', _TWO),
            sub(f'docker push "{_RELEASE}"', _INDEX),
        ),
        nearly("pushed as latest", "wrong-tag", sub("quote:1.0", "quote:latest")),
        symptom_hidden(
            "the test moved to the release",
            "tested-replaced",
            script(f'docker pull "{_RELEASE}" && docker tag "{_RELEASE}" quote:tested'),
        ),
        nearly("released, and its last layer is deleted", "not-whole", call(_layer_gone)),
        unchanged("nothing changed"),
        solution("as in the solution"),
        alternative(
            "released, and the name here given to the next one",
            after(_NEXT),
        ),
        alternative("with the SDK", call(_sdk)),
        alternative("by its digest, in the registry", call(_by_digest)),
        alternative(
            "pushed as a candidate, then named by a builder's tool",
            sub("quote:1.0", "quote:candidate"),
            after(
                f'docker buildx imagetools create --tag "{_RELEASE}" "$REGISTRY/quote:candidate"'
            ),
        ),
    ],
}
