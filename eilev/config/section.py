"""What the sections of params.yaml have in common: their base, their values, how they are read.

A stage reads its own sections with `load_section`, so its result depends on their modules only.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, core_schema

from eilev.vocabulary import listed

PARAMS = Path("params.yaml")

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
Even = Annotated[int, Field(ge=2, multiple_of=2)]
Seed = Annotated[int, Field(ge=0)]
# Of a phase of the curriculum: part of names of tables and files.
PhaseName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]

Source = Literal["ego4d", "epic_kitchens", "table"]


@dataclass(frozen=True)
class OneOf:
    """Constraint of a text: it is one of the names of a table of the vocabulary."""

    names: Mapping[str, object]

    def check(self, name: str) -> str:
        """Return the name, or say which ones there are."""
        if name not in self.names:
            raise ValueError(f"'{name}' is unknown, must be {listed(self.names)}")
        return name

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {**handler(schema), "enum": [*self.names]}


class Section(BaseModel):
    """Base of every section: no coercion, no extra keys, no mutation.

    The string below a field explains it to people (`explain`, docs/params.md, the JSON schema).
    """

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", use_attribute_docstrings=True
    )


_Section = TypeVar("_Section", bound=Section)


class ParamsError(ValueError):
    """params.yaml is missing, unreadable or breaks a rule; the message names the key."""


def load_section(name: str, kind: type[_Section], path: Path = PARAMS) -> _Section:
    """Read one section of params.yaml.

    Raises:
        ParamsError: the file is missing, is not YAML, lacks the section, or the section breaks a
            rule; each bad key is named.
    """
    params = read_params(path)
    if name not in params:
        raise ParamsError(f"{path}: {name}: Field required")
    return check_section(params[name], kind, f"{path}: {name}")


def read_params(path: Path = PARAMS) -> dict[str, Any]:
    """Read params.yaml without checking its keys.

    Raises:
        ParamsError: the file is missing, is not YAML, or holds no sections.
    """
    try:
        params = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise ParamsError(f"{path}: no such file; run from the repository's root") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(params, dict):
        raise ParamsError(f"{path}: holds no sections, such as 'train:'")
    return params


def check_section(values: object, kind: type[_Section], origin: str) -> _Section:
    """Check values as they come from a YAML file.

    Args:
        values: what the file holds.
        kind: what they must be.
        origin: names the file, and the section if it is one, in messages.

    Raises:
        ParamsError: a rule is broken; each bad key is named.
    """
    try:
        # Strict JSON mode: lists become tuples, but "3" never becomes 3.
        return kind.model_validate_json(json.dumps(values))
    except ValidationError as error:
        raise ParamsError(f"{origin}: {_describe(error)}") from error


def require_distinct(name: str, values: Sequence[object]) -> None:
    """Refuse a list that has a value twice (ValueError).

    >>> require_distinct("shots", (0, 2))
    """
    if len(set(values)) < len(values):
        raise ValueError(f"'{name}' has a value twice: {', '.join(map(str, values))}")


def _describe(error: ValidationError) -> str:
    items = error.errors()
    return "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'all of it'}: {item['msg']}"
        for item in items
        if not _follows(item, items)
    )


def _follows(item: ErrorDetails, items: Sequence[ErrorDetails]) -> bool:
    """Whether a list is only called too short because an element of it is broken."""
    place = item["loc"]
    return item["type"] == "too_short" and any(
        other["loc"][: len(place)] == place for other in items if other is not item
    )
