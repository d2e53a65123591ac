"""A training told to MLflow, where the recipe names a store (``train.mlflow``).

What is sent is the curve, the rules and hashes as on the model's card: numbers and names of fields, no text, key or
path. The run's own files stay what counts; a store that goes away in the middle stops no training.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from curate.errors import RecipeError
from curate.storage import commit_json, read_json
from filters.training.curve import Progress, Row, read_curve

_EXPERIMENT = "radsift"
_AT_MOST = 100  # parameters a request, the server's limit
_LONGEST = 500  # characters of a parameter that every server takes
# MLflow's own: no minutes of trying again inside a training
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # which is the command's
}


@contextmanager
def tracked(
    store: str | None, out: Path, progress: Progress | None, warn: Callable[[str], None]
) -> Iterator[Progress | None]:
    """``progress`` that also sends the new rows of OUT/curve.csv to the MLflow ``store`` (None: as it is); at the end
    what the model's card says. A training that goes on does so in its own MLflow run (OUT/mlflow.json).

    RecipeError, before the training begins, if mlflow is not installed or the store does not answer; ``warn`` is told
    of one that was lost later.
    """
    if store is None:
        yield progress
        return
    run = _Run(store, out)

    def both(done: int, steps: int, row: Mapping[str, float]) -> None:
        if progress is not None:
            progress(done, steps, row)
        run.send_rows()

    try:
        yield both
    except BaseException as error:
        run.end("FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    run.send_rows()
    run.finish(read_json(out / "model" / "card.json"))
    if run.lost:
        warn(f"train.mlflow: {run.lost}; what it lacks is in {out / 'curve.csv'}, and the same command sends it")


class _Run:
    """One run in the store at ``store``; ``lost``: why something could not be sent."""

    def __init__(self, store: str, out: Path) -> None:
        if "@" in urlsplit(store).netloc:
            problem = "a URL with credentials in it would be written into the run's files"
            fix = "give them in the environment: MLFLOW_TRACKING_USERNAME and _PASSWORD, or MLFLOW_TRACKING_TOKEN"
            raise RecipeError("train.mlflow", problem, fix)
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        try:
            from mlflow.tracking import MlflowClient
        except ImportError:
            raise RecipeError("train.mlflow", "mlflow is not installed here", "pip install mlflow-skinny") from None
        self.lost = ""
        self._out, self._sent = out, 0
        self._client: Any = MlflowClient(tracking_uri=store)
        try:
            self.id = self._resumed() or self._begin()
        except RecipeError:
            raise
        except Exception as error:  # noqa: BLE001  MLflow's, requests' and the store's own
            problem = f"the store at {store} does not answer as MLflow's ({type(error).__name__})"
            raise RecipeError("train.mlflow", problem, "check the address, or take the field out") from None

    def _resumed(self) -> str | None:
        """The run that an earlier attempt began in this store, with the rows it has."""
        if not (self._out / "mlflow.json").is_file():
            return None
        known = str(read_json(self._out / "mlflow.json")["run"])
        try:
            if self._client.get_run(known).info.lifecycle_stage != "active":  # somebody deleted it there
                return None
        except Exception as error:  # another store
            if getattr(error, "error_code", "") != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        self._sent = max((m.step for m in self._client.get_metric_history(known, "loss")), default=0)
        self._client.update_run(known, status="RUNNING")
        return known

    def _begin(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", _EXPERIMENT)
        found = self._client.get_experiment_by_name(name)
        if found and found.lifecycle_stage != "active":
            problem = f"the experiment {name!r} was deleted there"
            raise RecipeError("train.mlflow", problem, "restore it, or name another: MLFLOW_EXPERIMENT_NAME")
        experiment = found.experiment_id if found else self._client.create_experiment(name)
        run = str(self._client.create_run(experiment, run_name=self._out.name).info.run_id)
        commit_json(self._out / "mlflow.json", {"run": run})
        return run

    def send_rows(self) -> None:
        """Send the curve's rows that the store lacks."""
        from mlflow.entities import Metric

        self.lost = ""
        rows: list[Row] = [row for row in read_curve(self._out) if row["step"] > self._sent]
        now = int(time.time() * 1000)
        for row in rows:
            values = [Metric(k, v, now, int(row["step"])) for k, v in row.items() if k not in ("step", "steps")]
            if not self._send(metrics=values):
                return
            self._sent = int(row["step"])

    def finish(self, card: Mapping[str, Any]) -> None:
        """Send what the card says of rules and data, and end the run."""
        from mlflow.entities import Param

        facts = {name: card[name] for name in ("arch", "objective", "rules", "data", "training", "versions")}
        flat = [Param(name, value[:_LONGEST]) for name, value in _flat(facts)]
        for first in range(0, len(flat), _AT_MOST):
            self._send(params=flat[first : first + _AT_MOST])
        self.end("FINISHED")

    def end(self, status: str) -> None:
        """End the run there; one that is gone on with begins again."""
        self._ask("set_terminated", status)

    def _send(self, **values: Any) -> bool:
        return self._ask("log_batch", **values)

    def _ask(self, request: str, *arguments: Any, **values: Any) -> bool:
        try:
            getattr(self._client, request)(self.id, *arguments, **values)
        except Exception as error:  # noqa: BLE001  a store that is away is no reason to lose a training
            self.lost = f"the store could not be written to ({type(error).__name__})"
            return False
        return True


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            key = re.sub(r"[^\w.\- ]", "", str(key))  # what the server takes in a name
            yield from _flat(part, f"{name}.{key}" if name else key)
    else:
        yield name, str(value)
