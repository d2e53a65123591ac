"""Whether what a command is to look at is there: asked before anything that could look is imported."""

from pathlib import Path

from curate.errors import RecipeError


def require_there(path: Path) -> None:
    """RecipeError where nothing lies at ``path``."""
    if not path.exists():
        fix = "name folders of pictures, and tables or folders of reports"
        raise RecipeError("PATH", f"{path} does not exist", fix)
