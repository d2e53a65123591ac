"""The engine room of radsift: sources, de-identification, deduplication, export, and the engines that run them.

In a notebook: ``import curate; run = curate.open("runs/pacs")`` or ``curate.run("recipe.yaml")`` (`pipelines.api`).
"""

from typing import TYPE_CHECKING, Any

from curate import offline as offline  # first: what libraries would send is switched off before any is imported

if TYPE_CHECKING:
    from pipelines.api import open_run as open
    from pipelines.api import run_recipe as run

__version__ = "0.1.0"
__all__ = ["__version__", "open", "run"]

_NOTEBOOK = {"open": "open_run", "run": "run_recipe"}


def __getattr__(name: str) -> Any:
    """`open` and `run` are the composition root's, looked up where they are asked for: nothing here imports it."""
    if name in _NOTEBOOK:
        from importlib import import_module

        return getattr(import_module("pipelines.api"), _NOTEBOOK[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
