"""What can be checked of the images and manifests without a container engine."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.recipe.load import load_recipe

ROOT = Path(__file__).resolve().parents[1]
DOCKER = ROOT / "docker"
DOCKERFILES = [DOCKER / "Dockerfile", DOCKER / "Dockerfile.gpu"]
MANIFESTS = sorted((DOCKER / "kuberay").glob("*.yaml"))
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
IMAGE = f"radsift:{VERSION}"


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """(INSTRUCTION, rest) of each, continuation lines joined, comments left out."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [(w[0], w[1]) for line in joined.splitlines() if len(w := line.split(maxsplit=1)) == 2]


def compose() -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    return made


def rayjob() -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load((DOCKER / "kuberay" / "rayjob.yaml").read_text())
    return made


def pods(job: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = job["spec"]["rayClusterSpec"]
    return [g["template"]["spec"] for g in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


def pins(name: str) -> dict[str, str]:
    lines = (line.split("==") for line in (ROOT / name).read_text().splitlines() if "==" in line)
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in lines}


def images() -> set[str]:
    return {s["image"] for s in compose()["services"].values()} | {
        c["image"] for pod in pods(rayjob()) for c in pod["containers"]
    }


def in_context(path: str) -> bool:
    """Whether .dockerignore lets this path through: all is shut out, and some is let in again."""
    rules = [r for r in (ROOT / ".dockerignore").read_text().splitlines() if r and not r.startswith("#")]
    assert rules[0] == "**"
    allowed = [r[1:] for r in rules if r.startswith("!")]
    return any(path == a or path.startswith(f"{a}/") for a in allowed)


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda p: p.name)
def test_what_is_copied_is_there_and_in_the_context(dockerfile: Path) -> None:
    stages = {rest.split()[-1] for word, rest in instructions(dockerfile) if word == "FROM" and " AS " in rest}
    sources = 0
    for word, rest in instructions(dockerfile):
        if word != "COPY":
            continue
        *given, _ = rest.split()
        if given[0].startswith("--from="):
            assert given[0].removeprefix("--from=") in stages
            continue
        for source in given:
            sources += 1
            assert (ROOT / source).exists(), source
            assert in_context(source), f"{source} is shut out by .dockerignore"
    assert sources >= 6


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda p: p.name)
def test_the_final_image_is_not_roots_and_holds_no_build_argument(dockerfile: Path) -> None:
    steps = instructions(dockerfile)
    final = steps[max(i for i, (word, _) in enumerate(steps) if word == "FROM") :]
    users = [rest for word, rest in final if word == "USER"]
    assert users and users[-1] not in ("root", "0")
    assert {rest.split("=")[0] for word, rest in final if word == "ARG"} == {"UID", "GID"}
    assert ("ENTRYPOINT", '["curate"]') in final
    assert any(word == "ENV" and "RAY_USAGE_STATS_ENABLED=0" in rest for word, rest in final)


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda p: p.name)
def test_extras_and_constraints_are_the_projects(dockerfile: Path) -> None:
    extras = [rest.removeprefix("EXTRAS=") for word, rest in instructions(dockerfile) if rest.startswith("EXTRAS=")]
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert len(extras) == 1
    assert set(extras[0].split(",")) <= set(known)
    assert any("-c constraints.txt" in rest for word, rest in instructions(dockerfile) if word == "RUN")


def test_the_two_dockerfiles_differ_only_where_they_must() -> None:
    cpu, gpu = (set(instructions(d)) for d in DOCKERFILES)
    assert {word for word, _ in cpu ^ gpu} <= {"ARG", "FROM", "RUN", "ENV"}
    assert {rest for word, rest in cpu - gpu if word == "ARG" and not rest.startswith(("BASE=", "EXTRAS="))} == set()


def test_no_package_is_pinned_twice() -> None:
    assert not pins("constraints.txt").keys() & pins("docker/constraints.txt").keys()


@pytest.mark.parametrize("path", [DOCKER / "compose.yaml", *MANIFESTS], ids=lambda p: p.name)
def test_manifests_parse(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text()), dict)


def test_one_image_everywhere_and_of_this_version() -> None:
    assert images() == {IMAGE}
    tags = [m for d in DOCKERFILES for m in re.findall(r"-t (\S+)", d.read_text())]
    assert tags == [IMAGE, f"{IMAGE}-gpu"]


def test_ray_is_one_version() -> None:
    assert rayjob()["spec"]["rayClusterSpec"]["rayVersion"] == pins("constraints.txt")["ray"]


def test_compose_names_what_exists() -> None:
    made = compose()
    for service in made["services"].values():
        if "build" in service:
            context = (DOCKER / service["build"]["context"]).resolve()
            assert context == ROOT
            assert (context / service["build"]["dockerfile"]).is_file()
        assert set(service["secrets"]) <= set(made["secrets"])
        assert set(service["networks"]) <= set(made["networks"])
        assert set(service.get("depends_on", ())) <= set(made["services"])
        assert "ports" not in service
    assert made["networks"]["cluster"]["internal"] is True


def overrides(words: list[str]) -> list[str]:
    """The values of --set, in either spelling."""
    joined = " ".join(words).replace("--set ", "--set=")
    return re.findall(r"--set=(\S+)", joined)


def test_compose_runs_a_recipe_of_the_image_on_ray() -> None:
    service = compose()["services"]["curate"]
    command = service["command"]
    recipe = ROOT / command[1].replace("/opt/radsift/recipes", "pipelines/recipes")
    made = load_recipe(recipe, overrides(command))
    assert (made.engine.kind, made.engine.address) == ("ray", "auto")
    assert f"/run/secrets/{service['secrets'][0]}" == str(made.secret)


def test_rayjob_mounts_what_its_entrypoint_names() -> None:
    job = rayjob()
    entrypoint = job["spec"]["entrypoint"].split()
    made = load_recipe(ROOT / "pipelines" / "recipes" / "demo.yaml", overrides(entrypoint))
    assert (made.engine.kind, made.engine.address) == ("ray", "auto")
    claims = {yaml.safe_load(p.read_text())["metadata"]["name"] for p in MANIFESTS if p.name == "volume.yaml"}
    for pod in pods(job):
        (container,) = pod["containers"]
        mounts = {m["mountPath"]: m["name"] for m in container["volumeMounts"]}
        volumes = {v["name"]: v for v in pod["volumes"]}
        assert set(mounts.values()) == set(volumes)
        assert volumes[mounts["/data"]]["persistentVolumeClaim"]["claimName"] in claims
        assert mounts[str(Path(entrypoint[2]).parent)] == "recipe"
        assert mounts[str(Path(str(made.secret)).parent)] == "secret"
        assert pod["securityContext"]["runAsNonRoot"] is True
