"""What every part of a recipe is."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator

from curate.errors import RecipeError
from curate.places import place

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


def _location(value: Any) -> Path:
    """A path, or an fsspec URL, as the recipe gives it."""
    if not isinstance(value, str | PurePath):
        raise ValueError("is no path and no URL")
    try:
        return place(value)
    except RecipeError as error:
        raise ValueError(f"{error.field} {error.problem}; {error.fix}") from None


Location = Annotated[
    Path, PlainValidator(_location, json_schema_input_type=Path), PlainSerializer(str, when_used="json")
]


class Part(BaseModel):
    """A part of a recipe: frozen, and no field but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
