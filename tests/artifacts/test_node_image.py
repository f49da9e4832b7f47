"""course.artifacts.node_image: the archive that kind's node is made from."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from course.artifacts import node_image
from course.core.process import Completed, FakeRunner


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

    node_image._save(["docker.io/kindest/a:1", "registry.k8s.io/b:2"], tmp_path / "x.tar", Save())
    with tarfile.open(tmp_path / "x.tar") as tar:
        names = tar.getnames()
        first = tar.extractfile(names[0])
        assert first is not None
        text = first.read().decode()
    assert names == ["repositories", "manifest.json", "blobs/x"]
    assert text == '{"docker.io/kindest/a": {"1": ""}, "registry.k8s.io/b": {"2": ""}}'
