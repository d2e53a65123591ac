"""What is looked at before there is a run: the machine, the archive, how files will pair."""

from pathlib import Path

from curate.errors import RecipeError


def require_there(path: Path) -> None:
    """RecipeError where nothing lies at ``path``: asked before anything that could look is imported."""
    if not path.exists():
        fix = "name folders of pictures, and tables or folders of reports"
        raise RecipeError("PATH", f"{path} does not exist", fix)
