"""The files that start a cluster: every command in them is read by the parser of the program it is for, manifests are
valid by the schemas of their kinds, and the SLURM script runs, with stand-ins for SLURM, Ray and curate that note what
they are asked."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import typer

from pipelines.commands import begin, release, runs
from pipelines.recipe.load import load_recipe
from tests.test_docker import compose, pods, rayjob

ROOT = Path(__file__).resolve().parents[1]
SLURM = ROOT / "docker" / "slurm.sh"


def schema(name: str) -> dict[str, Any]:
    """Whose kind the file is of: the Compose Specification's schema (compose-spec at 170098b), or that of a RayJob
    (v1) in KubeRay's custom resource definitions (kuberay at feeaf72); both Apache 2.0, without their descriptions."""
    made: dict[str, Any] = json.loads(gzip.decompress((ROOT / "tests" / "schemas" / f"{name}.json.gz").read_bytes()))
    return made


def parsed_by_ray(words: list[str]) -> dict[str, Any]:
    """The parameters that Ray's own command makes of ``ray WORDS``; click.UsageError where it does not know them."""
    from ray.scripts.scripts import cli

    command = cli.commands[words[0]]
    return command.make_context(words[0], words[1:]).params


def parsed_by_curate(words: list[str]) -> dict[str, Any]:
    """The same of ``curate WORDS``."""
    app = typer.Typer()
    for command in (runs.run, begin.synth, release.deid):
        app.command(command.__name__)(command)
    group = typer.main.get_command(app)
    assert isinstance(group, click.Group) or hasattr(group, "commands")
    return group.commands[words[0]].make_context(words[0], words[1:]).params  # type: ignore[attr-defined,no-any-return]


def test_the_parsers_are_strict() -> None:
    with pytest.raises(Exception, match="nowhere"):
        parsed_by_ray(["start", "--nowhere"])
    with pytest.raises(Exception, match="nowhere"):
        parsed_by_curate(["run", "recipe.yaml", "--nowhere"])


# -- compose ---------------------------------------------------------------------------------------------------------


def test_compose_has_the_keys_of_its_kind() -> None:
    told = schema("compose")
    jsonschema.validate(compose(), told, cls=jsonschema.Draft7Validator)
    wrong = compose()
    wrong["services"]["head"]["entrypiont"] = []
    with pytest.raises(jsonschema.ValidationError, match="entrypiont"):
        jsonschema.validate(wrong, told, cls=jsonschema.Draft7Validator)


def test_every_command_of_compose_is_one_that_its_program_knows() -> None:
    services = compose()["services"]
    assert parsed_by_ray(services["head"]["command"])["head"] is True
    assert parsed_by_ray(services["worker"]["command"])["address"] == "head:6379"
    kind, *probe = services["head"]["healthcheck"]["test"]
    assert (kind, probe[0]) == ("CMD", "ray") and parsed_by_ray(probe[1:])["address"] == "head:6379"
    shell = services["curate"]["entrypoint"]
    assert shell[:2] == ["sh", "-c"] and shell[2].endswith('exec curate "$$@"')
    start = re.match(r"ray (start .+?) && ", shell[2])
    assert start and parsed_by_ray(start[1].split())["num_cpus"] == 0
    made = parsed_by_curate(services["curate"]["command"])
    assert str(made["recipe"]).startswith("/opt/radsift/recipes/") and len(made["set_"]) == 3


# -- Kubernetes ------------------------------------------------------------------------------------------------------


def shut(node: Any) -> Any:
    """A schema under which a key that it does not name is an error; Kubernetes would leave it out in silence."""
    if isinstance(node, dict):
        made = {key: shut(value) for key, value in node.items()}
        return {"additionalProperties": False, **made} if "properties" in node else made
    return [shut(value) for value in node] if isinstance(node, list) else node


def test_the_rayjob_has_the_keys_of_its_kind_and_no_more_memory_than_it_asks_for() -> None:
    job = rayjob()
    told = shut(schema("rayjob"))
    told["properties"]["metadata"] = {"required": ["name"]}  # of Kubernetes itself
    jsonschema.validate(job, told)
    wrong = rayjob()
    pods(wrong)[0]["containers"][0]["volumeMount"] = []
    with pytest.raises(jsonschema.ValidationError, match="volumeMount"):
        jsonschema.validate(wrong, told)
    numbers = rayjob()  # KubeRay refuses them
    numbers["spec"]["rayClusterSpec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] = 0
    with pytest.raises(jsonschema.ValidationError, match="not of type 'string'"):
        jsonschema.validate(numbers, told)
    groups = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert all(g["minReplicas"] <= g["replicas"] <= g["maxReplicas"] for g in groups)
    for group in groups:
        told = group["template"]["spec"]["containers"][0]["resources"]
        assert told["requests"] == told["limits"]


def test_every_command_of_the_rayjob_is_one_that_its_program_knows() -> None:
    job = rayjob()
    program, *words = job["spec"]["entrypoint"].split()
    made = parsed_by_curate(words)
    assert program == "curate" and made["recipe"] == Path("/etc/radsift/recipe.yaml") and len(made["set_"]) == 3
    cluster = job["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        parsed_by_ray(["start", *(f"--{name}={value}" for name, value in group["rayStartParams"].items())])


# -- SLURM -----------------------------------------------------------------------------------------------------------

# Stand-ins: `srun` runs its command here, `ray start` stays until it is told to stop, `curate` ends as it is asked to.
_STANDINS = {
    "scancel": '[ "$*" = "--signal=TERM 77.4" ] && kill -TERM "$(cat "$NOTES.driver")"',
    "scontrol": 'printf "n1\\nn2\\nn3\\n"',
    "srun": 'while [[ "$1" == --* ]]; do [[ "$1" == --nodelist=* ]] && export ON="${1#*=}"; shift; done; exec "$@"',
    "hostname": "echo 10.0.0.1 fe80::1",
    "ray": 'echo "ray $ON $RAY_AUTH_MODE $(stat -c %a "$RAY_AUTH_TOKEN_PATH") $*" >>"$NOTES"\n'
    'if [ "$1" = start ]; then trap "exit 0" TERM; while :; do sleep 0.05; done; fi',
    "curate": 'echo "curate $ON $*" >>"$NOTES"; echo $$ >"$NOTES.driver"; trap "exit 130" TERM\n'
    '[ "$ENDS" = stopped ] && kill -TERM $PPID && sleep 20 & wait; sleep 0.3; exit "$ENDS"',
}


def submit(tmp_path: Path, *arguments: str, ends: int | str = 0) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """The script as SLURM would run it on three nodes; what was asked of `ray` and `curate`, in order."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, body in _STANDINS.items():
        (folder / name).write_text(f"#!/bin/bash\n{body}\n")
        (folder / name).chmod(0o755)
    notes = tmp_path / "notes"
    notes.touch()
    env = {"PATH": f"{folder}:{os.environ['PATH']}", "NOTES": str(notes), "ENDS": str(ends), "HOME": str(tmp_path)}
    env |= {"SLURM_JOB_NODELIST": "n[1-3]", "SLURM_CPUS_PER_TASK": "16", "RADSIFT_SHARED": str(tmp_path)}
    env |= {"RADSIFT_SECRET_FILE": "/shared/secret.key", "SLURM_JOB_ID": "77", "SLURM_STEP_ID": "4"}
    done = subprocess.run(["bash", str(SLURM), *arguments], env=env, cwd=tmp_path, capture_output=True, text=True,
                          timeout=60, check=False)  # fmt: skip
    return done, notes.read_text().splitlines()


def test_the_slurm_script_starts_a_head_workers_and_the_run_by_commands_that_their_programs_know(
    tmp_path: Path,
) -> None:
    done, notes = submit(tmp_path, "/shared/recipe.yaml", "--set", "select.keep=0.3")
    assert done.returncode == 0, done.stderr
    rays = [line.split(maxsplit=4) for line in notes if line.startswith("ray ")]
    assert all(mode == "token" and rights == "600" for _, _, mode, rights, _ in rays)
    starts = {node: parsed_by_ray(words.split()) for _, node, _, _, words in rays if words.startswith("start")}
    assert sorted(starts) == ["n1", "n2", "n3"] and starts["n1"]["head"] and not starts["n2"]["head"]
    assert {p["address"] for n, p in starts.items() if n != "n1"} == {"10.0.0.1:6379"}
    assert all(p["num_cpus"] == 16 and p["block"] for p in starts.values())
    assert all(parsed_by_ray(words.split()) for *_, words in rays)
    (driver,) = [line.split() for line in notes if line.startswith("curate ")]
    made = parsed_by_curate(driver[2:])
    assert driver[1] == "n1" and made["recipe"] == Path("/shared/recipe.yaml")
    recipe = load_recipe(ROOT / "pipelines" / "recipes" / "demo.yaml", made["set_"])
    assert (recipe.engine.kind, recipe.engine.address, recipe.select.keep) == ("ray", "10.0.0.1:6379", 0.3)
    assert str(recipe.secret) == "/shared/secret.key"
    assert not list(tmp_path.glob(".ray-token-*"))


def test_the_slurm_script_ends_as_the_run_does_and_says_how_it_is_called(tmp_path: Path) -> None:
    for ends, code in ((3, 3), ("stopped", 130)):  # stopped: the script is told that the limit nears
        done, _ = submit(tmp_path, "/shared/recipe.yaml", ends=ends)
        assert done.returncode == code and not list(tmp_path.glob(".ray-token-*"))
        shutil.rmtree(tmp_path / "bin")
    asked, _ = submit(tmp_path)
    assert asked.returncode == 2 and "RECIPE" in asked.stderr


def test_the_slurm_script_is_sound() -> None:
    assert subprocess.run(["bash", "-n", str(SLURM)], check=False).returncode == 0
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    checked = subprocess.run(["shellcheck", str(SLURM)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
