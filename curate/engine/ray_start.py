"""Ray started or joined: a cluster of our own on the loopback alone, which keeps nothing and calls nobody."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import tempfile
import threading
from pathlib import Path
from typing import Any

import ray
import ray.data
from ray._private import node, ray_constants

from curate.engine.resources import Resources
from curate.errors import RecipeError
from curate.storage import remove_tree

_MAX_SOCKET = 107  # bytes of a socket's path on Linux (sun_path of unix(7), less its end)
_IN_SESSION = len("/ray/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store.0")
_UNREACHED = (ConnectionError, RuntimeError, TimeoutError)
_ONLY_HERE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # "0": no address but the loopback, as Ray does on a desktop


class Session:
    """Ray joined at ``resources.address`` until `close`, or a local one started and then stopped.

    RecipeError where it cannot be reached or started.
    """

    def __init__(self, resources: Resources) -> None:
        self._folder: Path | None = None
        self._before: dict[str, str | None] = {}
        settings = {"address": resources.address} if resources.address else self._local(resources)
        try:
            _init(settings)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave; what a local Ray needed is gone."""
        ray.shutdown()
        for name, value in self._before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        if self._folder is not None:
            remove_tree(self._folder, self._folder.parent)

    def _local(self, resources: Resources) -> dict[str, Any]:
        """How a local Ray is started. ``address="local"`` always starts anew: a stale cluster file would be joined."""
        if "RAY_AUTH_TOKEN" not in os.environ and "RAY_AUTH_TOKEN_PATH" not in os.environ:
            self._set("RAY_AUTH_TOKEN", secrets.token_hex(32))  # else Ray leaves one in the home folder
        # Ray would ask 8.8.8.8 for a route to learn its address, and listen on it; both are read again by its children
        self._set(_ONLY_HERE, "0")
        ray_constants.ENABLE_RAY_CLUSTER = False
        # without a dashboard this process is still started, and asks the cloud's metadata server where it is
        node.Node.start_api_server = _no_api_server  # type: ignore[method-assign]
        local = {"num_cpus": resources.workers or os.cpu_count(), "include_dashboard": False, "address": "local"}
        if not _short_enough(Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir())):
            self._folder = _short_folder()
            local["_temp_dir"] = str(self._folder / "ray")
        return local

    def _set(self, name: str, value: str) -> None:
        self._before[name] = os.environ.get(name)
        os.environ[name] = value


def _no_api_server(self: Any, **_: Any) -> None:
    self._webui_url = None


def _init(settings: dict[str, Any]) -> None:
    """`ray.init`, tried twice: raylet's start-up times out on a loaded machine."""
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_task_oom_retries", "2")  # else for ever: who is killed for its memory alone as well
    logging.getLogger("ray").setLevel(logging.ERROR)
    for attempt in (1, 2):
        try:
            _joined(settings)
            break
        except Exception as error:
            # a raylet that does not come up in time is a bare Exception
            if type(error) is not Exception and not isinstance(error, _UNREACHED):
                raise
            if attempt == 2:
                where = settings["address"] if settings["address"] != "local" else "a local Ray"
                raise RecipeError(
                    "engine.address",
                    f"cannot reach {where} ({type(error).__name__})",
                    "check 'ray status' and, on a cluster with tokens, RAY_AUTH_MODE=token; or engine.kind: local",
                ) from None
            ray.shutdown()
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _joined(settings: dict[str, Any]) -> None:
    """`ray.init`, which would have a polite stop (SIGTERM) end this process as it likes: ours says how, as before."""
    before = signal.getsignal(signal.SIGTERM)
    ray.init(logging_level=logging.ERROR, log_to_driver=False, configure_logging=False, **settings)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)


def _short_enough(temporary: Path) -> bool:
    return len(os.fsencode(temporary)) + _IN_SESSION <= _MAX_SOCKET


def _short_folder() -> Path:
    """A folder of our own (0700) whose path leaves room for Ray's sockets; RecipeError where there is none."""
    for parent in ("/tmp", "/var/tmp"):  # noqa: S108  mkdtemp makes a new folder that no one else may enter
        try:
            return Path(tempfile.mkdtemp(prefix="radsift-", dir=parent))
        except OSError:
            continue
    raise RecipeError(
        "TMPDIR",
        f"its path is too long for Ray's sockets ({_MAX_SOCKET} bytes), and neither /tmp nor /var/tmp can be written",
        "set TMPDIR to a shorter one, or engine.kind: local",
    )
