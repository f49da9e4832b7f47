"""course.measure.chain.dependency: names that no Service has."""

from __future__ import annotations

import pytest

from tests.measure.chain import apps


@pytest.mark.parametrize("app", apps.of("dependency"), ids=str)
def test_a_break_is_named_with_object_field_and_proof(app: apps.App) -> None:
    app.assert_said(apps.said_of(app))


def test_a_name_that_a_container_never_asked_for_is_left_alone() -> None:
    idle = apps.app()
    (container,) = idle.things["Pod", "shop-6c9f7d5b84-2lq8x"]["spec"]["containers"]
    container["env"].append({"name": "LATER_URL", "value": "http://later/"})
    assert apps.said_of(idle) is None


def test_a_name_that_the_pod_itself_gives_an_address_to_has_one() -> None:
    app = apps.app("dependency/client-of-nobody")
    aliases = [{"ip": "10.0.0.9", "hostnames": ["shpo"]}]
    app.things["Pod", "client"]["spec"]["hostAliases"] = aliases
    assert apps.said_of(app) is None


@pytest.mark.parametrize(
    "value",
    ["http://localhost:8080", "http://api.example.com/", "postgres://u:p@db/shop", "db:5432"]
    + ["http://db.course.svc.cluster.local:80", "one two", "http://shop-6c9f7d5b84-2lq8x"],
)
def test_names_that_have_an_address_or_may_have_one_elsewhere(value: str) -> None:
    app = apps.app("dependency/unresolved")
    (container,) = app.things["Pod", "shop-6c9f7d5b84-2lq8x"]["spec"]["containers"]
    container["env"] = [{"name": "CACHE_URL", "value": value}]
    found = apps.said_of(app)
    assert found and found.link == "crash"


def of_command(*command: str) -> apps.App:
    app = apps.app("dependency/client-of-nobody")
    (container,) = app.things["Pod", "client"]["spec"]["containers"]
    container["command"] = list(command)
    return app


@pytest.mark.parametrize(
    "script",
    [
        "until nslookup cart; do sleep 1; done",
        "getent hosts cart.course.svc.cluster.local",
        "nc -z -w 2 cart 80",
        "curl -s -o /tmp/out -m 2 cart:8080/x | grep ok",
        "wget -qO- http://cart/",
        "curl -s cart",
        "ping -c 1 cart",
        "pg_isready -U shop -h cart",
        "redis-cli -p 6379 -h cart ping",
    ],
)
def test_what_a_script_asks_for_is_looked_for(script: str) -> None:
    found = apps.said_of(of_command("sh", "-c", script))
    assert found and found.seen.startswith("cart, and no Service is called so")


@pytest.mark.parametrize(
    "script",
    [
        "nc -lk -p 8080 -e cat",
        "while true; do echo ok | nc -l -p 8080; done",
        "wget -O out http://shop/ && curl -o body -X POST shop:80/x",
        "df -h data; ls --host",
        "curl -s $URL; nslookup 10.0.0.1",
        "pg_isready --host=127.0.0.1 --username=orders",
        "nginx -g 'daemon off;'",
        "curl https://example.com/ http://localhost:8080/",
    ],
)
def test_words_of_a_script_that_are_no_names_are_left_alone(script: str) -> None:
    assert apps.said_of(of_command("sh", "-c", script)) is None
