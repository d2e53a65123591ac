"""What every part of a recipe is."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator

from curate.errors import RecipeError
from curate.places import place

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
FILTER_NAME = r"^[a-z][a-z0-9_]{0,31}$"


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


PART = ConfigDict(extra="forbid", use_attribute_docstrings=True)
"""Of a part that is a dataclass of pydantic's, ``@dataclass(frozen=True, config=PART)``: what a recipe gives is checked
as any part's, and code makes one as any dataclass."""


class Part(BaseModel):
    """A part of a recipe: frozen, and no field but its own."""

    model_config = ConfigDict(frozen=True, **PART)
