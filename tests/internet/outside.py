"""All that the catalogue names, published: made once, served by as many gates as are wanted."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from course.artifacts import images, tools
from course.core import paths
from course.core.process import default_runner
from tests.internet import gate, releases
from tests.internet.hub import Hub
from tests.internet.published import Published, assembled
from tests.internet.releases import Releases
from tests.internet.web import Web

_CATALOGUES = ("airgap/images/images.toml", "airgap/releases.toml")


@dataclass(frozen=True)
class Outside:
    """The publishers' images and releases."""

    published: Published
    releases: Releases
    enforces_policies: bool = True
    """Whether the node image has kind's own network, as the publisher's has."""

    def web(self) -> Web:
        """Their sites, and a company's mirror of Docker Hub."""
        mirror = Hub(self.published, tokens=False, redirects=False).registry
        return Web(Hub(self.published).sites() | self.releases.sites() | {gate.MIRROR: mirror})

    def digests(self) -> dict[str, str]:
        """What the catalogue cites → what is served under that name: another content."""
        found = {
            image.digest: self.published.digest(ref)
            for ref, image in images.catalogue().items()
            if image.digest
        }
        found |= {e.cited: self.releases.sha256(e.url) for e in releases.catalogue() if e.cited}
        return found

    def tools(self) -> dict[str, Any]:
        """The catalogue of tools with the checksums of what is served."""
        served = self.digests()
        return {
            name: replace(
                tool, sha256={key: served.get(value, value) for key, value in tool.sha256.items()}
            )
            for name, tool in tools.RELEASES.items()
        }

    def catalogue(self) -> dict[str, images.Image]:
        """The catalogue of images with the digests of those that are served."""
        served = self.digests()
        return {
            ref: replace(image, digest=served[image.digest]) if image.digest else image
            for ref, image in images.catalogue().items()
        }

    def clone(self, dest: Path) -> Path:
        """The course as it is here, in another folder, citing the digests that are served."""
        listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(listing, cwd=paths.ROOT, capture_output=True, check=True, text=True)
        for name in filter(None, listed.stdout.split("\0")):
            source, file = paths.ROOT / name, dest / name
            if source.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, file, follow_symlinks=False)
        for name in _CATALOGUES:
            text = (dest / name).read_text()
            for cited, served in self.digests().items():
                text = text.replace(cited, served)
            (dest / name).write_text(text)
        return dest


def publish(folder: Path, refs: Iterable[str] = ()) -> Outside:
    """Publish what this machine's Docker and cache have.

    Args:
        folder: where to.
        refs: the images that are published as they are here; the others have a few bytes. All if
            none is named.
    """
    every = list(images.catalogue())
    real = list(refs) or every
    for ref in real:
        # What others are assembled on is not here where images were pulled.
        if default_runner().run(["docker", "image", "inspect", ref], timeout=30, check=False).code:
            images.ensure(ref, lambda *_: None)
    made = assembled(real, folder / "blobs")
    for ref in every:
        if ref not in real:
            made.invent(ref)
    own = any(ref in real and images.assembled(ref) for ref in every if ref.startswith("kindest/"))
    return Outside(made, releases.built(folder), enforces_policies=not own)
