"""course.images, course.tools and the catalogue."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from course import fetch, images, nodeimage, tools
from course.errors import CourseError
from course.run import Completed, FakeRunner

INSPECT = "docker image inspect"


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "reachable", lambda host: True)


@pytest.mark.parametrize("ref", sorted(images.catalogue()))
def test_every_entry_is_complete(ref: str) -> None:
    image = images.catalogue()[ref]
    assert image.upstream.endswith(ref)
    assert (images.RECIPES / image.recipe / "Dockerfile").exists()
    assert set(image.from_) <= set(images.catalogue())
    assert len(images.key(ref)) == 16


def test_a_present_image_is_left_alone() -> None:
    fake = FakeRunner({INSPECT: f"{images.key('node:24-slim')}\n"})
    assert images.ensure("node:24-slim", quiet, using=fake) == "present"
    assert len(fake.calls) == 1


def test_a_pulled_image_has_no_label_and_is_good() -> None:
    assert images.ensure("node:24-slim", quiet, using=FakeRunner({INSPECT: "\n"})) == "present"


def test_an_image_of_an_older_recipe_is_made_anew(online: None) -> None:
    fake = FakeRunner({INSPECT: "0123456789abcdef\n", "docker pull": "", "docker tag": ""})
    assert images.ensure("node:24-slim", quiet, using=fake) == "pulled"


def test_where_images_can_be_pulled_nothing_is_compiled(online: None) -> None:
    fake = FakeRunner({INSPECT: 1, "docker pull": "", "docker tag": ""})
    for ref in images.catalogue():
        assert images.ensure(ref, quiet, using=fake) == "pulled"
    pulled = [call[3] for call in fake.calls if call[:2] == ("docker", "pull")]
    assert pulled == [image.upstream for image in images.catalogue().values()]
    assert not any("build" in call for call in fake.calls)


def test_an_image_that_is_not_listed_is_refused() -> None:
    with pytest.raises(CourseError, match="no image nginx"):
        images.ensure("nginx", quiet, using=FakeRunner())


def test_a_build_says_what_failed() -> None:
    fake = FakeRunner({"docker build": Completed(("docker",), 1, "", "no such file: package.json")})
    with pytest.raises(CourseError, match=r"package\.json"):
        images.build(Path("x"), "x:1", quiet, fake)


def test_the_archive_for_kind_names_its_images_first(tmp_path: Path) -> None:
    class Save(FakeRunner):
        def run(self, argv, **kwargs):  # type: ignore[no-untyped-def]
            out = Path(argv[argv.index("--output") + 1])
            with tarfile.open(out, "w") as tar:
                for name in ("manifest.json", "repositories", "blobs/x"):
                    info = tarfile.TarInfo(name)
                    info.size = 2
                    tar.addfile(info, io.BytesIO(b"{}"))
            return Completed(tuple(map(str, argv)), 0)

    nodeimage._save(["docker.io/kindest/a:1", "registry.k8s.io/b:2"], tmp_path / "x.tar", Save())
    with tarfile.open(tmp_path / "x.tar") as tar:
        names = tar.getnames()
        first = tar.extractfile(names[0])
        assert first is not None
        text = first.read().decode()
    assert names == ["repositories", "manifest.json", "blobs/x"]
    assert text == '{"docker.io/kindest/a": {"1": ""}, "registry.k8s.io/b": {"2": ""}}'


@pytest.mark.parametrize(
    ("system", "machine", "url"),
    [
        ("Linux", "x86_64", "https://kind.sigs.k8s.io/dl/v0.33.0/kind-linux-amd64"),
        ("Darwin", "arm64", "https://kind.sigs.k8s.io/dl/v0.33.0/kind-darwin-arm64"),
    ],
)
def test_a_tool_comes_as_the_official_release_with_its_checksum(
    home: Path, online: None, monkeypatch: pytest.MonkeyPatch, system: str, machine: str, url: str
) -> None:
    asked: list[tuple[str, str]] = []

    def download(from_: str, dest: Path, *, sha256: str = "", report: object = None) -> Path:
        asked.append((from_, sha256))
        dest.parent.mkdir(parents=True, exist_ok=True)
        dest.write_text("kind")
        return dest

    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(fetch, "download", download)
    monkeypatch.setattr(fetch, "text", lambda _: f"{'a' * 64}  {Path(url).name}\n")
    for _ in range(2):
        found = tools.ensure("kind", quiet, using=FakeRunner())
    assert asked == [(url, "a" * 64)]
    assert found["kind"].read_text() == "kind"
    assert found["kind"].stat().st_mode & 0o111


def test_docker_is_taken_out_of_its_archive(
    home: Path, online: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(url: str, dest: Path, **_: object) -> Path:
        dest.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(dest, "w:gz") as tar:
            for name in (*tools.CATALOGUE["docker"].commands, "docker-init"):
                info = tarfile.TarInfo(f"docker/{name}")
                info.size = 1
                tar.addfile(info, io.BytesIO(b"x"))
        return dest

    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(fetch, "download", download)
    found = tools.ensure("docker", quiet, using=FakeRunner())
    assert all(path.read_text() == "x" for path in found.values())
    assert "dockerd" in found


def test_the_right_line_of_a_checksum_file_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "text", lambda _: "aa *other\nbb *mine\n")
    assert tools._published("u", "mine") == "bb"


def test_links_replace_older_ones(home: Path, tmp_path: Path) -> None:
    for text in ("old", "new"):
        (tmp_path / text).write_text(text)
        folder = tools.link({"kubectl": tmp_path / text})
    assert (folder / "kubectl").read_text() == "new"
