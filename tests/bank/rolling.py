"""Answers to the exercises of 11-rolling."""

from __future__ import annotations

import json
import shlex
from typing import Any
from urllib.parse import quote

from course.exercises.kit.lab import Lab
from tests.bank import Answer
from tests.bank.edits import (
    Edit,
    after,
    alternative,
    before,
    feature_gone,
    fits_the_probe,
    forged,
    from_elsewhere,
    nearly,
    not_the_serving_object,
    script,
    solution,
    sub,
    symptom_hidden,
    unchanged,
    warned_means,
    wrong_name,
)

_WAIT = "kubectl rollout status deployment/shop-lab --timeout=60s"
_PATCH = "kubectl patch deployment shop-lab --patch "
_NO_WAIT = sub(_WAIT, "")
_SLEEP = {"preStop": {"sleep": {"seconds": 4}}}
_TRUE = {"exec": {"command": ["true"]}}
_ASKING = (
    "fetch('http://127.0.0.1:3000/').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"
)
_ASK = {"exec": {"command": ["node", "-e", _ASKING]}, "timeoutSeconds": 3}
_TRAP = (
    "trap 'sleep 4; kill -TERM $node; wait $node' TERM; DRAIN_MS=10000 node dist/index.js & "
    "node=$!; wait $node"
)
_STATIC = (
    "require('http').createServer((_, a) => setTimeout(() => a.setHeader('x-orders-version', "
    "process.env.ORDERS_VERSION || '1.1.0').end('ok'), %d)).listen(3000)"
)


def _quoted(thing: object) -> str:
    """JSON as a word of the shell, in which the registry's name is put in."""
    return shlex.quote(json.dumps(thing)).replace("$REGISTRY", "'\"$REGISTRY\"'")


def _patch(body: dict[str, Any]) -> str:
    return f"{_PATCH}{_quoted(body)}\n{_WAIT}"


def _spec(**spec: Any) -> str:
    return _patch({"spec": spec})


def _container(**changes: Any) -> str:
    own = [{"name": "shop", **changes}]
    return _patch({"spec": {"template": {"spec": {"containers": own}}}})


def _static(work_ms: int) -> str:
    """A program that answers at once, and always the same."""
    return _container(command=["node", "-e", _STATIC % work_ms])


def _idle(name: str = "beside") -> dict[str, Any]:
    """A container that does nothing, of an image that is there."""
    ends = "process.on('SIGTERM', () => process.exit())"
    return {
        "name": name,
        "image": "$REGISTRY/shop-lab:1.1.0",
        "command": ["node", "-e", f"setInterval(() => {{}}, 1e6); {ends}"],
        "resources": {"requests": {"cpu": "5m", "memory": "32Mi"}},
    }


def _beside(**sidecar: Any) -> Edit:
    """A sidecar in front of the shop, patched in after the script."""
    both = [_idle() | sidecar, {"name": "shop"}]
    return after(_patch({"spec": {"template": {"spec": {"containers": both}}}}))


_VERSION = [{"name": "x-orders-version", "value": "1.2.0"}]
_SETS = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": _VERSION}}
_RULE = {"filters": [_SETS], "backendRefs": [{"name": "shop-lab", "port": 80}]}
_BY_HAND = after(
    "kubectl patch httproute shop-lab --type=merge --patch " + _quoted({"spec": {"rules": [_RULE]}})
)
"""The header that the check reads, written by the route."""


def _elsewhere(lab: Lab, text: str) -> str:
    """A second Deployment, whose pods the Service selects from now on."""
    old = "s/name: shop-lab$/name: shop-lab-old/; s/app: shop-lab /app: shop-lab-old /"
    selector = _quoted({"spec": {"selector": {"app": "shop-lab-old"}}})
    return f"""{text}
sed -n '1,/^---/p' {lab.id}/shop.yaml | sed '{old}' > {lab.id}/old.yaml
kubectl apply -f {lab.id}/old.yaml
kubectl rollout status deployment/shop-lab-old --timeout=60s
kubectl patch service shop-lab --patch {selector}"""


_ASKS_AGAIN = (
    "const http = require('http'), { SHOP_LAB_SERVICE_HOST: host } = process.env;"
    "const ask = (asked, reply) => { const again = () => setTimeout(ask, 50, asked, reply);"
    "  const headers = { ...asked.headers, connection: 'close' };"
    "  http.get({ host, path: asked.url, headers }, (got) => { const parts = [];"
    "    got.on('error', again).on('data', (part) => parts.push(part)).on('end', () =>"
    "      got.complete && got.statusCode < 500"
    "        ? reply.writeHead(got.statusCode, got.headers).end(Buffer.concat(parts)) : again());"
    "  }).on('error', again); };"
    "http.createServer(ask).listen(3000)"
)
_FRONT = f"""\
kubectl create deployment shop-lab-front --image="$REGISTRY/shop-lab:1.1.0" \\
  -- node -e {shlex.quote(_ASKS_AGAIN)}
kubectl expose deployment shop-lab-front --port=80 --target-port=3000
kubectl rollout status deployment/shop-lab-front --timeout=60s
kubectl patch httproute shop-lab --type=json --patch \\
  '[{{"op": "replace", "path": "/spec/rules/0/backendRefs/0/name", "value": "shop-lab-front"}}]'
"""


# -- rolling-1

_CAREFUL = "{ maxUnavailable: 0, maxSurge: 1 }"
_QUESTION = "httpGet: { path: /, port: http }"
_PROBE = f"""\
          readinessProbe:
            {_QUESTION}
            periodSeconds: 1
            timeoutSeconds: 3
"""
_HOOK = """\
          lifecycle:
            preStop: { sleep: { seconds: 4 } }
"""
_DRAIN = """\
          env:
            - { name: DRAIN_MS, value: "10000" }
"""
_GRACE = "      terminationGracePeriodSeconds: 30\n"
_EXEC_HOOK = sub("sleep: { seconds: 4 }", 'exec: { command: [sleep, "4"] }')


def _setting(name: str, value: str) -> Edit:
    return sub(_DRAIN, f'{_DRAIN}            - {{ name: {name}, value: "{value}" }}\n')


_EMIT = "import http from 'node:http'; const emit = http.Server.prototype.emit;"
_HOLDS = "--import=data:text/javascript," + quote(
    f"{_EMIT}"
    "const until = Date.now() + 3000 + Number(process.env.FAULT_START_MS);"
    "http.Server.prototype.emit = function (event, asked, ...more) {"
    "  const left = event === 'request' && !asked.url.endsWith('z') ? until - Date.now() : 0;"
    "  if (left <= 0) return emit.call(this, event, asked, ...more);"
    "  return !!setTimeout(() => emit.call(this, event, asked, ...more), left); }"
)
_ANSWERS_EARLY = "--import=data:text/javascript," + quote(
    f"{_EMIT} const begun = new Set();"
    "http.Server.prototype.emit = function (event, asked, reply, ...more) {"
    "  if (event === 'request') begun.add(reply), reply.once('close', () => begun.delete(reply));"
    "  return emit.call(this, event, asked, reply, ...more); };"
    "process.on('SIGTERM', () => { for (const reply of begun)"
    "  reply.setHeader('x-orders-version', process.env.ORDERS_VERSION).end('[]'); });"
)
_AT = "/spec/template/spec"
_OWN = f"{_AT}/containers/0"
_CHANGES = {
    "/spec/strategy": {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
    },
    f"{_AT}/terminationGracePeriodSeconds": 30,
    f"{_OWN}/name": "web",
    f"{_OWN}/readinessProbe": {
        "httpGet": {"path": "/", "port": "http"},
        "periodSeconds": 1,
        "timeoutSeconds": 3,
    },
    f"{_OWN}/lifecycle": _SLEEP,
    f"{_AT}/initContainers": [_idle("shop") | {"restartPolicy": "Always"}],
}
_RENAMED = (
    "kubectl patch deployment shop-lab --type=json --patch "
    + _quoted([{"op": "add", "path": path, "value": new} for path, new in _CHANGES.items()])
    + f"\nkubectl set env deployment/shop-lab --containers=web DRAIN_MS=10000\n{_WAIT}"
)
"""The solution, in a container of another name, behind a native sidecar of the shop's name."""


# -- rolling-4 and rolling-5

_UNDO = "kubectl rollout undo deployment/shop-lab"
_DEADLINE = _PATCH + """'{"spec": {"progressDeadlineSeconds": 8}}'"""
_UNREADY = "kubectl get pods -l app=shop-lab --no-headers | awk '/0\\/1/ {print $1}'"
_FORGES = """\
uid() { kubectl get deployment shop-lab -o jsonpath='{.metadata.uid}'; }
forge() {
  while sleep 0.5 && [ "$(uid)" = "$1" ]; do
    kubectl patch deployment shop-lab --subresource=status --patch '{"status": {"conditions": [
      {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}}'
  done
}
forge "$(uid)" > /dev/null 2>&1 &"""
_FILL = 'docker tag "$REGISTRY/shop-lab:1.1.0" "$bad" && docker push --quiet "$bad"'
_TAG_FILLED = f"""\
bad=$(kubectl get deployment shop-lab -o jsonpath='{{.spec.template.spec.containers[0].image}}')
docker pull --quiet "$REGISTRY/shop-lab:1.1.0" && {_FILL}
kubectl delete pod --wait=false $({_UNREADY})
{_DEADLINE}
{_WAIT}"""
_MADE_ANEW = f"""\
kubectl delete deployment shop-lab
sed 's/^  replicas:/  progressDeadlineSeconds: 8\\n  replicas:/' rolling-4/shop.yaml |
  kubectl apply -f -
{_WAIT}"""
_OTHER_AS_GOOD = """\
docker pull --quiet "$REGISTRY/shop-lab:1.2.0"
docker tag "$REGISTRY/shop-lab:1.2.0" "$REGISTRY/shop-lab:1.1.0"
docker push --quiet "$REGISTRY/shop-lab:1.1.0"
"""
_TWO = "kubectl scale deployment shop-lab --replicas=2"
_SET = 'kubectl set image deployment/shop-lab "shop=$REGISTRY/shop-lab{}"'
_DIGEST = """\
digest=$(docker buildx imagetools inspect "$REGISTRY/shop-lab:1.1.0" \\
  --format '{{.Manifest.Digest}}')"""


def _strategy(unavailable: int | str, surge: int | str, **spec: Any) -> str:
    rolling = {"maxUnavailable": unavailable, "maxSurge": surge}
    return _spec(strategy={"type": "RollingUpdate", "rollingUpdate": rolling}, **spec)


def _decided(
    unavailable: int | str = 2, surge: int | str = 0, *, releases: int = 2, **figures: Any
) -> Edit:
    """A strategy, releases that nobody waits for, and figures that were written by hand."""
    restart = "kubectl rollout restart deployment/shop-lab\nsleep 1.5\n" * releases
    surging = {"seconds": 24.0, "peak": 5, "fewest_ready": 4} | figures.pop("rejected", {})
    chosen = {"seconds": 13.0, "peak": 4, "fewest_ready": 2} | figures
    decision = {"choice": "fewer", "measured": {"more": surging, "fewer": chosen}}
    write = f"echo {shlex.quote(json.dumps(decision))} > rolling-5/decision.json"
    return script(f"{_strategy(unavailable, surge)}\n{restart}{_WAIT}\n{write}")


_SHELL_MEASURE = """\
measure() {
  local most=0 fewest=9 began=$SECONDS
  kubectl patch deployment shop-lab >&2 \\
    --patch "{\\"spec\\": {\\"strategy\\": {\\"rollingUpdate\\": $1}}}"
  kubectl rollout restart deployment/shop-lab >&2
  until kubectl rollout status deployment/shop-lab --watch=false | grep -q successfully; do
    read -r made ready < <(kubectl get deployment shop-lab \\
      -o jsonpath='{.status.replicas} {.status.readyReplicas}{"\\n"}')
    most=$((made > most ? made : most)) fewest=$((ready < fewest ? ready : fewest))
    sleep 0.2
  done
  echo "{\\"seconds\\": $((SECONDS - began)), \\"peak\\": $most, \\"fewest_ready\\": $fewest}"
}
more=$(measure '{"maxUnavailable": "75%", "maxSurge": 0}')
fewer=$(measure '{"maxUnavailable": "50%", "maxSurge": 0}')
measured="{\\"75%\\": $more, \\"50%\\": $fewer}"
echo "{\\"choice\\": \\"50%\\", \\"measured\\": $measured}" > rolling-5/decision.json"""
_EVICTED = """\
kubectl patch deployment shop-lab --patch '{"spec": {"template": {"spec": {"containers": [
  {"name": "shop", "resources": {"limits": {"ephemeral-storage": "20Mi"}}}]}}}}'
kubectl rollout status deployment/shop-lab --timeout=120s
pod=$(kubectl get pods -l app=shop-lab --sort-by=.metadata.creationTimestamp -o name | tail -1)
kubectl exec "$pod" -- node -e "require('fs').writeFileSync('/tmp/fill', Buffer.alloc(5e7))"
kubectl wait "$pod" --for=jsonpath='{.status.phase}'=Failed --timeout=150s"""


_ANEW = "a release makes every pod anew and keeps nothing of the one before"
CANNOT: dict[str, dict[str, str]] = {
    "rolling-1": {"works-once": _ANEW},
    "rolling-2": {"works-once": _ANEW},
    "rolling-3": {"works-once": _ANEW},
    "rolling-4": {"works-once": "a deadline holds for each release until somebody changes it"},
    "rolling-5": {"works-once": _ANEW},
}
"""Why an exercise has no wrong answer of a kind."""

BANK: dict[str, list[Answer]] = {
    "rolling-1": [
        unchanged("nothing changed", path="start"),
        solution("as in the solution", path="right"),
        not_the_serving_object(
            "a sidecar in front that is probed, the shop as it was",
            "no-probe",
            script(""),
            _beside(readinessProbe=_TRUE),
        ),
        nearly(
            "the lesson's path, which asks the database too",
            "never-ready",
            sub("path: /,", "path: /readyz,"),
            _NO_WAIT,
            path="never ready",
        ),
        nearly(
            "all pods at once",
            "none-left",
            sub(_CAREFUL, "{ maxUnavailable: 100%, maxSurge: 0 }"),
        ),
        nearly("no time to leave", "instant-exit", sub(_HOOK, ""), sub(_DRAIN, "")),
        symptom_hidden(
            "the slow start switched off",
            "slow-start-hidden",
            sub(_PROBE, ""),
            _setting("FAULT_START_MS", "0"),
        ),
        symptom_hidden("less work", "latency-hidden", _setting("FAULT_LATENCY_MS", "1")),
        nearly("a little less work", "latency-hidden", _setting("FAULT_LATENCY_MS", "170")),
        fits_the_probe(
            "a delay of 3 s, and the port",
            "guessed-delay",
            sub(_QUESTION, "tcpSocket: { port: http }\n            initialDelaySeconds: 3"),
        ),
        warned_means(
            "every pod on the node's own network",
            "does-not-start",
            sub(_GRACE, f"{_GRACE}      hostNetwork: true\n"),
            _NO_WAIT,
        ),
        symptom_hidden(
            "paused: nothing changes, nothing is lost",
            "paused",
            after("kubectl rollout pause deployment/shop-lab"),
        ),
        from_elsewhere("a Deployment that nobody asks", "not-behind-route", _elsewhere),
        forged("a version header by hand", "forged-version", _BY_HAND),
        feature_gone("a program that answers all the same", "wrong-answer", after(_static(200))),
        alternative(
            "a container of another name, behind a sidecar of the shop's", script(_RENAMED)
        ),
        alternative(
            "a startup probe, a sleep of the shell, a pod less in place of a pod more",
            sub("readinessProbe:", "startupProbe:"),
            sub("timeoutSeconds: 3", "timeoutSeconds: 3\n            failureThreshold: 30"),
            _EXEC_HOOK,
            sub(_CAREFUL, "{ maxUnavailable: 1, maxSurge: 0 }"),
        ),
        alternative(
            "as many new pods as old ones, a command that asks, a shell that waits",
            sub(
                _PROBE + _HOOK + _DRAIN,
                f"          command: {json.dumps(['sh', '-c', _TRAP])}\n"
                f"          readinessProbe: {json.dumps(_ASK)}\n",
            ),
            sub(_CAREFUL, '{ maxUnavailable: 0, maxSurge: "100%" }'),
            sub("replicas: 2", "replicas: 3"),
        ),
        alternative(
            "the lesson's path, told not to ask the database",
            sub("path: /,", "path: /readyz,"),
            _setting("READY_NEEDS_DATABASE", "false"),
        ),
    ],
    "rolling-2": [
        unchanged("nothing changed", path="start"),
        solution("as in the solution", path="right"),
        not_the_serving_object(
            "a probe of a sidecar's own, the shop's as it was",
            "lying-probe",
            script(""),
            _beside(readinessProbe=_TRUE),
        ),
        symptom_hidden("a wait after Ready", "min-ready-only", script(_spec(minReadySeconds=4))),
        fits_the_probe(
            "a delay twice as long as the last start",
            "guessed-delay",
            sub("httpGet: { path: /readyz }", "initialDelaySeconds: 4"),
        ),
        fits_the_probe(
            "a delay longer than any start that a check waits for",
            "guessed-delay",
            sub("httpGet: { path: /readyz }", "initialDelaySeconds: 25"),
            sub("timeout=60s", "timeout=90s"),
            path="refuted",
        ),
        nearly(
            "a command that waits, and asks nothing",
            "lying-exec",
            sub(
                "httpGet: { path: /readyz }",
                'httpGet: null\n            exec: { command: [sleep, "8"] }\n'
                "            timeoutSeconds: 10",
            ),
            path="asked",
        ),
        warned_means(
            "the port in place of the path",
            "port-only",
            sub(
                "httpGet: { path: /readyz }",
                "httpGet: null\n            tcpSocket: { port: http }",
            ),
        ),
        wrong_name("a path that is not there", "never-ready", sub("/readyz", "/ready"), _NO_WAIT),
        symptom_hidden(
            "the slow start switched off",
            "slow-start-hidden",
            script(_container(env=[{"name": "FAULT_START_MS", "value": "0"}])),
        ),
        symptom_hidden("the probe taken away", "no-probe", script(_container(readinessProbe=None))),
        forged(
            "pods that are ready and hold what they are sent",
            "held-too-long",
            script(_container(env=[{"name": "NODE_OPTIONS", "value": _HOLDS}])),
        ),
        from_elsewhere("a Deployment that nobody asks", "not-behind-route", _elsewhere),
        forged("a version header by hand", "forged-version", _BY_HAND),
        feature_gone("a program that answers all the same", "wrong-answer", after(_static(0))),
        alternative(
            "the true probe, on a sidecar in front", script(""), _beside(readinessProbe=_ASK)
        ),
        alternative(
            "a command that asks the service itself",
            script(_container(readinessProbe={"httpGet": None, **_ASK})),
        ),
        alternative(
            "a startup probe, readiness as it was",
            sub("readinessProbe:", "startupProbe:"),
            sub(
                "path: /readyz }",
                "path: /readyz, port: http }\n            periodSeconds: 1\n"
                "            failureThreshold: 40",
            ),
        ),
    ],
    "rolling-3": [
        unchanged("nothing changed", path="start"),
        solution("as in the solution", path="right"),
        not_the_serving_object(
            "a sidecar in front that waits before it ends",
            "instant-exit",
            script(""),
            _beside(lifecycle=_SLEEP),
        ),
        nearly("a hook and no drain", "hook-only", sub(_DRAIN, ""), path="long requests"),
        nearly("a drain and no hook", "drain-only", sub(_HOOK, "")),
        fits_the_probe(
            "a hook longer than the longest request",
            "idle-pod-stays",
            sub("seconds: 4", "seconds: 12"),
            sub(_DRAIN, ""),
            path="idle",
        ),
        nearly("a drain of 3 s", "drain-too-short", sub('"10000"', '"3000"')),
        nearly("a hook and a drain of 9.4 s", "drain-too-short", sub('"10000"', '"5400"')),
        feature_gone(
            "what was begun is answered at once",
            "cut-short",
            _setting("NODE_OPTIONS", _ANSWERS_EARLY),
        ),
        nearly(
            "a grace that cuts both",
            "grace-too-short",
            sub("      containers:", "      terminationGracePeriodSeconds: 6\n      containers:"),
        ),
        symptom_hidden(
            "more grace for a process that does not use it",
            "grace-unused",
            script(_patch({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 60}}}})),
        ),
        symptom_hidden("less work", "latency-hidden", _setting("FAULT_LATENCY_MS", "1")),
        from_elsewhere("a program in front that asks again", "not-behind-route", script(_FRONT)),
        from_elsewhere("a Deployment that nobody asks", "not-behind-route", _elsewhere),
        forged("a version header by hand", "forged-version", _BY_HAND),
        feature_gone("a program that answers all the same", "wrong-answer", after(_static(1500))),
        alternative("a hook that is a command", _EXEC_HOOK),
        alternative(
            "a timer of node's as the hook, and a longer drain",
            sub(
                "sleep: { seconds: 4 }",
                'exec: { command: [node, -e, "setTimeout(() => {}, 3500)"] }',
            ),
            sub('"10000"', '"20000"'),
        ),
        alternative(
            "a shell that takes the signal and waits",
            script(_container(command=["sh", "-c", _TRAP])),
        ),
    ],
    "rolling-4": [
        unchanged("nothing changed", path="start"),
        solution("as in the solution", path="right"),
        nearly(
            "the deadline, and no way back",
            "only-noticed",
            sub(_UNDO, ""),
            sub(_WAIT, f"{_WAIT} || true"),
        ),
        symptom_hidden("paused", "paused", script("kubectl rollout pause deployment/shop-lab")),
        nearly(
            "back, and nobody notices the next",
            "not-noticed",
            sub(_DEADLINE, ""),
            path="not noticed",
        ),
        nearly("a deadline of 12 s", "not-noticed", sub('Seconds": 8', 'Seconds": 12')),
        forged(
            "the condition, written again and again",
            "not-noticed",
            sub(_DEADLINE, ""),
            after(_FORGES),
        ),
        warned_means("the name filled with what is at hand", "tag-filled", script(_TAG_FILLED)),
        wrong_name("forward to 1.2.0", "other-version", sub(_UNDO, _SET.format(":1.2.0"))),
        from_elsewhere(
            "the good name, filled with another image",
            "other-version",
            before(_OTHER_AS_GOOD),
            after(f"kubectl rollout restart deployment/shop-lab\n{_WAIT}"),
        ),
        symptom_hidden("made anew", "made-anew", script(_MADE_ANEW)),
        fits_the_probe(
            "a deadline that good releases miss",
            "deadline-too-short",
            sub('Seconds": 8', 'Seconds": 1'),
            sub(_WAIT, f"{_WAIT} || sleep 5"),
        ),
        nearly(
            "noticed, and every pod away meanwhile",
            "none-left",
            after(_strategy("100%", 0)),
        ),
        feature_gone(
            "nothing runs, so nothing hangs",
            "pods-gone",
            after(f"kubectl scale deployment shop-lab --replicas=0\n{_WAIT}"),
        ),
        nearly(
            "one pod away, and one pod anew",
            "pods-gone",
            after(f"kubectl scale deployment shop-lab --replicas=1\n{_WAIT}\n{_TWO}\n{_WAIT}"),
        ),
        feature_gone(
            "all pods away, and two pods anew",
            "pods-gone",
            after(f"kubectl scale deployment shop-lab --replicas=0\n{_WAIT}\n{_TWO}\n{_WAIT}"),
        ),
        symptom_hidden(
            "the good image by its digest, in other pods",
            "pods-gone",
            before(_DIGEST),
            sub(_UNDO, _SET.format("@$digest")),
        ),
        alternative("the good image named again", sub(_UNDO, _SET.format(":1.1.0"))),
        alternative(
            "back by its number, and a deadline of 10 s",
            sub(_UNDO, f"{_UNDO} --to-revision=1"),
            sub('Seconds": 8', 'Seconds": 10'),
        ),
        alternative(
            "the file applied again, with a deadline in it",
            script(
                "sed -i 's/^  replicas: 2$/  replicas: 2\\n  progressDeadlineSeconds: 9/' "
                f"rolling-4/shop.yaml\nkubectl apply -f rolling-4/shop.yaml\n{_WAIT}"
            ),
        ),
    ],
    "rolling-5": [
        unchanged("nothing changed", path="start"),
        solution("as in the solution", path="right"),
        nearly("one by one", "too-slow", _decided(1), path="slow"),
        nearly("three at once", "too-few-ready", _decided(3)),
        fits_the_probe(
            "one by one, and a start that takes no time",
            "too-slow",
            _decided(1),
            after(_container(env=[{"name": "FAULT_START_MS", "value": "0"}])),
        ),
        feature_gone("a smaller shop", "replicas-changed", script(_strategy(0, 1, replicas=3))),
        symptom_hidden("no figures", "no-decision", script(_strategy(2, 0))),
        from_elsewhere("figures of another release", "figures-differ", _decided(seconds=2.0)),
        nearly(
            "nothing to compare with",
            "no-comparison",
            _decided(rejected={"seconds": 13.0, "peak": 4}),
        ),
        forged("figures without a release", "not-measured", _decided(releases=0)),
        forged(
            "one made up beside one measured",
            "impossible-figures",
            _decided(rejected={"seconds": 9.0}),
        ),
        alternative("in percent", _decided("50%", "0%")),
        alternative("measured by kubectl and a clock of the shell", script(_SHELL_MEASURE)),
        alternative("and a pod was evicted before", _decided(), before(_EVICTED)),
    ],
}
