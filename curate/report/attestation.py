"""The attestation as a page for people: one HTML file that needs no network and runs no script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curate.report.page import environment


def render_attestation(attestation: Mapping[str, Any]) -> str:
    """The page of an attestation (`curate.deid.attest.attest`); the same attestation gives the same bytes."""
    return environment().get_template("attestation.html.j2").render(a=attestation)
