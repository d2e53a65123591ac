"""What de-identification has to show, as pages for people: an attestation, and the audit of a released folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curate.report.render import render

_MOST = 500  # files that an audit's page lists


def render_attestation(attestation: Mapping[str, Any]) -> str:
    """The page of an attestation (`curate.deid.attest.attest`); the same attestation gives the same bytes."""
    return render("attestation.html.j2", a=attestation)


def render_audit(audit: Mapping[str, Any]) -> str:
    """The page of an audit (`curate.deid_export.audit.summary`); the same audit gives the same bytes."""
    return render("audit.html.j2", a=audit, most=_MOST)
