"""The log of a release: one JSON line an input, keys and codes only, for whoever watches runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from curate.errors import RecipeError


def write_log(path: Path, attestation: Mapping[str, Any]) -> None:
    """Append the attestation's inputs and its summary to ``path``; RecipeError where it cannot be written."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    summary = {name: attestation[name] for name in ("inputs", "fates", "reasons", "verification")}
    lines = [{"time": now, "event": "input", **told} for told in attestation["files"]]
    try:
        with path.open("a", encoding="utf-8") as log:
            log.writelines(json.dumps(line) + "\n" for line in [*lines, {"time": now, "event": "attested", **summary}])
    except OSError as error:
        raise RecipeError("--log", f"cannot write it ({error.strerror})", "name a file in a folder there is") from None
