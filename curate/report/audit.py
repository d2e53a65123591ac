"""The audit of a released folder as a page for people: one HTML file that needs no network and runs no script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curate.report.page import environment

_MOST = 500  # files that the page lists


def render_audit(audit: Mapping[str, Any]) -> str:
    """The page of an audit (`curate.deid_export.audit.summary`); the same audit gives the same bytes."""
    return environment().get_template("audit.html.j2").render(a=audit, most=_MOST)
