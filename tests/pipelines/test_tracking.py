"""A training told to MLflow: what arrives is asked of MLflow's own client; its server runs on this machine."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from curate.errors import RecipeError, RunError
from curate.storage import commit_bytes, commit_json, read_json
from filters.training.shards import TRUNCATED
from pipelines.final.tracking import tracked

CARD = {
    "arch": {"name": "tiny"},
    "objective": "clip",
    "rules": {"batch": 8, "lr": 0.001},
    "data": {"records": 24, "skipped": {TRUNCATED: 1}},
    "training": "0123",
    "versions": {"torch": "2"},
}


def row(step: int, loss: float) -> str:
    return f"{step},4,{loss}\n"


def curve(out: Path, *rows: str) -> None:
    commit_bytes(out / "curve.csv", ("step,steps,loss\n" + "".join(rows)).encode())


def test_without_a_store_nothing_is_imported_and_progress_is_as_it_was(tmp_path: Path) -> None:
    calls: list[int] = []

    def progress(done: int, steps: int, row: Any) -> None:
        calls.append(done)

    with tracked(None, tmp_path, progress, calls.append) as told:
        assert told is progress


@pytest.mark.skipif("mlflow" in sys.modules, reason="mlflow is imported here")
def test_a_store_that_cannot_be_used_is_told_before_the_training(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="credentials"), tracked("https://me:word@host", tmp_path, None, print):
        pass
    try:
        import mlflow  # noqa: F401
    except ImportError:
        with pytest.raises(RecipeError, match="not installed"), tracked("http://127.0.0.1:9", tmp_path, None, print):
            pass


class Store:
    """In the place of MLflow's client: ``failing`` says of which requests' number it refuses."""

    def __init__(self, tracking_uri: str = "", failing: Container[int] = ()) -> None:
        self.asked, self.failing, self.status = 0, failing, "RUNNING"
        self.metrics, self.params = list[Any](), dict[str, str]()

    def get_experiment_by_name(self, name: str) -> None:
        return None

    def create_experiment(self, name: str) -> str:
        return name

    def create_run(self, experiment: str, run_name: str) -> Any:
        return SimpleNamespace(info=SimpleNamespace(run_id="1"))

    def log_batch(self, run: str, metrics: Sequence[Any] = (), params: Sequence[tuple[str, str]] = ()) -> None:
        self.asked += 1
        if self.asked in self.failing:
            raise ConnectionError
        assert all(re.fullmatch(r"[/\w.\- ]+", name) for name, _ in params)  # what MLflow lets be a name
        self.metrics += metrics
        self.params.update(params)

    def set_terminated(self, run: str, status: str) -> None:
        self.status = status


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    made = Store()
    named = {"tracking": SimpleNamespace(MlflowClient=lambda tracking_uri: made)}
    named["entities"] = SimpleNamespace(Metric=lambda *values: values, Param=lambda *values: values)
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(**named))
    for name, module in named.items():
        monkeypatch.setitem(sys.modules, f"mlflow.{name}", module)
    return made


@pytest.mark.parametrize(("failing", "lacks"), [((), 0), ((1,), 0), ((1, 2), 1), ((2, 3), 1)])
def test_what_the_store_lacks_is_told_though_it_takes_what_comes_after(
    store: Store, failing: tuple[int, ...], lacks: int, tmp_path: Path
) -> None:
    store.failing, warned = failing, list[str]()
    with tracked("http://store", tmp_path, None, warned.append) as told:
        curve(tmp_path, row(1, 2.0))
        assert told is not None
        told(1, 4, {})
        curve(tmp_path, row(1, 2.0), row(2, 1.5))
        commit_json(tmp_path / "model" / "card.json", CARD)
    assert len(warned) == lacks and store.status == "FINISHED"
    assert len(store.metrics) + bool(store.params) == 3 or lacks


@pytest.mark.parametrize(("error", "status"), [(RunError("no"), "FAILED"), (KeyboardInterrupt(), "KILLED")])
def test_a_training_that_ends_badly_is_not_left_running_there(
    store: Store, error: BaseException, status: str, tmp_path: Path
) -> None:
    with pytest.raises(type(error)), tracked("http://store", tmp_path, None, print):
        raise error
    assert store.status == status


def test_mlflows_telemetry_stays_off_whatever_is_left_in_the_environment() -> None:
    told = "import curate, os; print(os.environ['MLFLOW_DISABLE_TELEMETRY'])"
    left = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "false"}
    assert subprocess.run([sys.executable, "-c", told], env=left, capture_output=True, text=True).stdout == "true\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of MLflow's own server over a database here."""
    pytest.importorskip("mlflow.tracking", reason="mlflow-skinny is not installed")
    program = os.environ.get("RADSIFT_MLFLOW") or shutil.which("mlflow")
    if program is None:
        pytest.skip("RADSIFT_MLFLOW names no mlflow with its server")
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    asked = [program, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    asked += ["--backend-store-uri", f"sqlite:///{folder}/m.db", "--artifacts-destination", str(folder)]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(asked, env=environment, stdout=log, stderr=log) as process,
    ):
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(120):
                try:
                    urllib.request.urlopen(f"{address}/health", timeout=5)
                    break
                except OSError:
                    time.sleep(1)
            yield address
        finally:
            process.terminate()


@pytest.mark.slow  # MLflow's server takes half a minute to start
def test_the_curve_arrives_once_whatever_stops_in_between(server: str, tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    out, warned = tmp_path / "a1b2", list[str]()
    out.mkdir()
    with pytest.raises(KeyboardInterrupt), tracked(server, out, None, warned.append) as told:
        curve(out, row(1, 2.0), row(2, 1.5))
        assert told is not None
        told(2, 4, {})
        raise KeyboardInterrupt
    client = MlflowClient(tracking_uri=server)
    assert client.get_run(read_json(out / "mlflow.json")["run"]).info.status == "KILLED"
    with tracked(server, out, None, warned.append) as told:
        curve(out, row(1, 2.0), row(2, 1.5), row(3, 1.25), row(4, 1.0))
        commit_json(out / "model" / "card.json", CARD)
    (found,) = client.search_runs([client.get_experiment_by_name("radsift").experiment_id])
    history = client.get_metric_history(found.info.run_id, "loss")
    assert sorted((m.step, m.value) for m in history) == [(1, 2.0), (2, 1.5), (3, 1.25), (4, 1.0)]
    assert found.data.params["rules.batch"] == "8" and found.data.params["data.records"] == "24"
    assert (found.info.run_name, found.info.status, warned) == ("a1b2", "FINISHED", [])
    with tracked(server, out, None, warned.append):  # the same command once more
        pass
    assert len(client.get_metric_history(found.info.run_id, "loss")) == 4


@pytest.mark.slow
def test_a_store_that_goes_away_stops_no_training(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, warned = tmp_path / "c3d4", list[str]()
    out.mkdir()
    with tracked(server, out, None, warned.append) as told:
        curve(out, row(1, 2.0))
        assert told is not None
        with monkeypatch.context() as patch:
            patch.setattr("urllib3.connectionpool.HTTPConnectionPool._get_conn", refuse)
            told(1, 4, {})
        commit_json(out / "model" / "card.json", CARD)
    assert warned == []  # it was back at the end, and has the row


@pytest.mark.slow  # MLflow makes its tables one by one
def test_what_was_deleted_there_is_begun_anew_or_named(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy", reason="MLflow's store of a database needs it")
    pytest.importorskip("mlflow.tracking", reason="mlflow-skinny is not installed")
    from mlflow.tracking import MlflowClient

    out, store = tmp_path / "e5f6", f"sqlite:///{tmp_path}/m.db"
    curve(out, row(1, 2.0))
    commit_json(out / "model" / "card.json", CARD)
    client, runs = MlflowClient(tracking_uri=store), list[str]()
    for _ in range(2):
        with tracked(store, out, None, runs.append):
            pass
        runs.append(read_json(out / "mlflow.json")["run"])
        assert [m.value for m in client.get_metric_history(runs[-1], "loss")] == [2.0]
        client.delete_run(runs[-1])
    assert len(set(runs)) == 2
    client.delete_experiment(client.get_experiment_by_name("radsift").experiment_id)
    with pytest.raises(RecipeError, match="'radsift' was deleted there"), tracked(store, out, None, print):
        pass


def refuse(*_: Any, **__: Any) -> Any:
    raise ConnectionRefusedError
