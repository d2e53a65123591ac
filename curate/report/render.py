"""The one renderer of all pages: run, comparison, evaluation, attestation, audit, analysis.

A page is one HTML file that needs no network and runs no script. Everything in it is untrusted text: templates escape
all of it, images go in as data: URIs and only where their first bytes say PNG or JPEG, and a Content-Security-Policy
forbids whatever else a page could load or run. A page holds no time of its own: the same content gives the same bytes.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from curate.report import plot
from curate.report.funnel import QUARANTINE, share
from curate.report.words import duration, size

# What HTML or UTF-8 cannot hold: controls, lone surrogates, non-characters.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_MAGIC = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def render(template: str, **content: Any) -> str:
    """A page as one self-contained HTML document; characters that UTF-8 cannot hold come out as U+FFFD.

    ``template``: a file of this package, or PACKAGE/FILE of another; it extends base.html.j2.
    """
    return _UNPRINTABLE.sub("\ufffd", _environment().get_template(template).render(**content))


@cache
def _environment() -> Environment:
    """The templates, escaping everything."""
    env = Environment(
        loader=FunctionLoader(_source), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    env.filters |= {"count": "{:,}".format, "size": size, "duration": duration, "data_uri": _data_uri}
    env.globals |= {"plot": plot, "share": share, "QUARANTINE": QUARANTINE, "named": _named}
    return env


def _source(name: str) -> str:
    package, _, file = name.rpartition("/")
    return files(package or "curate.report").joinpath(file).read_text(encoding="utf-8")


def _named(rows: Mapping[str, int]) -> list[tuple[str, int]]:
    """Counts by reason, the empty one being what is clean."""
    return [(reason or "clean", n) for reason, n in rows.items()]


def _data_uri(image: bytes) -> Markup:
    """A data: URI, or "" for bytes that are neither PNG nor JPEG: nothing else is ever handed to an image decoder."""
    for magic, kind in _MAGIC.items():
        if image.startswith(magic):
            return Markup("data:{};base64,{}").format(kind, base64.b64encode(image).decode("ascii"))
    return Markup("")
