"""params.yaml as a JSON schema, by which editors complete, explain and check it.

A line in params.yaml that names the schema would be lost whenever DVC composes the file, so
.vscode/settings.json names it (docs/profiles.md).
"""

from pathlib import Path
from typing import Any

from eilev.config.params import Params

SCHEMA = Path("params.schema.json")
PROFILE_SCHEMA = Path("conf/profile.schema.json")
# Where the records lie that a schema refers to.
RECORDS = "#/$defs/"

Json = dict[str, Any]

# In conf/ a value may be left to another file, or taken from another key.
_LEFT_OPEN = {"type": "string", "pattern": r"^(\?\?\?|\$\{.+\})$"}


def params_schema() -> Json:
    """JSON schema of params.yaml; draft 7, which all editors know.

    Rules between keys ("the shares of 'mixture' must sum to 1") are not in it.
    """
    schema = _tidy(Params.model_json_schema())
    return {"$schema": "http://json-schema.org/draft-07/schema#", **schema}


def profile_schema() -> Json:
    """JSON schema of the files in conf/, any of which holds a part of params.yaml."""
    schema: Json = _loosened(params_schema())
    schema["properties"]["defaults"] = {
        "description": "The files that this one is composed with, by Hydra's rules.",
        "type": "array",
    }
    return schema


def _tidy(node: Any) -> Any:
    """Without the titles made of names, docstrings on one line, pairs as lists of two."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return " ".join(node.split()) if isinstance(node, str) else node
    # The report's own key `title` holds no text here.
    kept = {k: _tidy(v) for k, v in node.items() if not (k == "title" and isinstance(v, str))}
    if "prefixItems" in kept:
        kept["items"] = kept.pop("prefixItems")[0]
    return kept


def _loosened(node: Any) -> Any:
    """No key is required, and each may be left open."""
    if isinstance(node, list):
        return [_loosened(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {name: _loosened(value) for name, value in node.items() if name != "required"}
    if "properties" in kept:
        kept["properties"] = {key: _left_open(part) for key, part in kept["properties"].items()}
    return kept


def _left_open(node: Json) -> Json:
    described = {key: node[key] for key in ("description",) if key in node}
    rest = {key: value for key, value in node.items() if key not in ("description", "anyOf")}
    return described | {"anyOf": [*node.get("anyOf", [rest]), _LEFT_OPEN]}
