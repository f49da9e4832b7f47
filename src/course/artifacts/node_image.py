"""A kind node image from package registries alone.

kind's own `build node-image` puts it together; what it would pull, we build.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

from course.artifacts import debian, gobuild, packages, tools
from course.core import paths
from course.core.machine import arch
from course.core.process import Runner
from course.core.report import Report

_COMPONENTS = paths.ROOT / "airgap" / "images" / "kind-components"
_KIND_MODULE = f"gomod:sigs.k8s.io/kind@{tools.KIND}"
_BINARIES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
_NODE = ("kubeadm", "kubelet", "kubectl")
MODULES = ("kubernetes", "local-path-provisioner")
"""Go modules that it is built from, which no file of its recipe names."""


def key() -> str:
    """What the node image is made from beside its own recipe."""
    parts = [gobuild.key(module, arch()) for module in MODULES]
    parts += [file.read_text() for file in sorted(_COMPONENTS.iterdir())]
    return "\n".join(parts)


def _built(name: str, report: Report, runner: Runner) -> Path:
    module = "local-path-provisioner" if name == "local-path-provisioner" else "kubernetes"
    return packages.resolve(f"go:{module}/{name}", report, runner=runner)


def prepare(context: Path, report: Report, runner: Runner) -> None:
    """Fill the context of the node's base image: kind's files and containerd."""
    files = packages.resolve(f"{_KIND_MODULE}/images/base/files", report, runner=runner)
    shutil.copytree(files, context / "kind", copy_function=shutil.copyfile)
    (context / "bin").mkdir()
    for name in ("containerd", "containerd-shim-runc-v2", "ctr"):
        shutil.copy(_built(name, report, runner), context / "bin" / name)


def finish(ref: str, context: Path, report: Report, runner: Runner) -> None:
    """Make the node image from its base: `kind build node-image` on an archive of ours.

    Args:
        ref: the node image's name; the base image is `course/kind-base:latest`.
        context: a folder to work in.
        report: told what is being done.
        runner: runs docker and kind.
    """
    server = context / "server"
    server.mkdir()
    names = _component_images(context, report, runner)
    main = [names[b] for b in _BINARIES]
    extra = [tag for name, tag in names.items() if name not in _BINARIES]
    report("packing the control plane", None)
    # kind reads four archives; the images it would otherwise pull ride in the first.
    for binary, tag in zip(_BINARIES, main, strict=True):
        tags = [tag, *extra] if binary == _BINARIES[0] else [tag]
        _save(tags, server / f"{binary}.tar", runner)
    for binary in _NODE:
        shutil.copy(_built(binary, report, runner), server / binary)
    archive = context / "kubernetes.tgz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(server, "kubernetes/server/bin")
        _add(tar, "kubernetes/version", tools.KUBERNETES.encode())
    # They are in the archive now and would only lie about.
    runner.run(["docker", "image", "rm", "--force", *names.values()], timeout=120, check=False)
    report("kind build node-image", None)
    kind = tools.ensure("kind", report, runner=runner)["kind"]

    def line(text: str) -> None:
        report(f"kind: {text}", None)

    runner.run(
        [kind, "build", "node-image", "--type", "file", archive]
        + ["--base-image", "course/kind-base:latest", "--image", ref],
        timeout=900,
        env={"TMPDIR": str(context)},
        on_line=line,
    )


def _component_images(context: Path, report: Report, runner: Runner) -> dict[str, str]:
    """Build the images a node holds; component → the tag that kubeadm and kind ask for."""
    from course.artifacts import docker_build

    folder = context / "components"
    shutil.copytree(_COMPONENTS, folder)
    for name in (*_BINARIES, "etcd", "coredns", "local-path-provisioner"):
        shutil.copy(_built(name, report, runner), folder / name)
    debian.assemble(report, runner=runner)
    runner.run(
        ["gcc", "-Os", "-static", "-o", folder / "pause", folder / "pause.c"],
        timeout=60,
        try_="apt-get install gcc libc6-dev, then course up",
    )
    tags = dict(_tags(report, runner))
    for name, tag in tags.items():
        docker_build.build(folder, tag, report, runner, target=name)
    return tags


def _tags(report: Report, runner: Runner) -> Iterator[tuple[str, str]]:
    """Component and tag of every image that a node must hold."""
    kubeadm = _built("kubeadm", report, runner)
    asked = runner.run(
        [kubeadm, "config", "images", "list", "--kubernetes-version", tools.KUBERNETES],
        timeout=60,
    ).stdout.split()
    source = packages.resolve(f"{_KIND_MODULE}/pkg/build/nodeimage", report, runner=runner)
    text = "".join(file.read_text() for file in sorted(source.glob("const_*.go")))
    asked += re.findall(r'= "(docker\.io/kindest/[^"]+)"', text)
    files = packages.resolve(f"{_KIND_MODULE}/images/base/files", report, runner=runner)
    config = (files / "etc" / "containerd" / "config.toml").read_text()
    asked += re.findall(r'sandbox_image = "([^"]+)"', config)
    for tag in asked:
        # The last of the two pauses wins: kind replaces kubeadm's by containerd's.
        yield tag.rsplit("/", 1)[1].split(":")[0], tag


def _save(tags: list[str], dest: Path, runner: Runner) -> None:
    """`docker save`, with a `repositories` entry in front that names every image in full.

    kind reads an archive's tags from whichever of `repositories` and `manifest.json` comes
    first, and of the latter only the first image.
    """
    saved = dest.with_suffix(".saved")
    runner.run(["docker", "save", "--output", saved, *tags], timeout=300)
    repositories: dict[str, dict[str, str]] = {}
    for tag in tags:
        name, version = tag.rsplit(":", 1)
        repositories.setdefault(name, {})[version] = ""
    with tarfile.open(saved) as old, tarfile.open(dest, "w") as new:
        _add(new, "repositories", json.dumps(repositories).encode())
        for member in old:
            if member.name != "repositories":
                new.addfile(member, old.extractfile(member) if member.isfile() else None)
    saved.unlink()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
