"""What each key of params.yaml is, in words: from the docstring of its field and its type."""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from eilev.config.json_schema import (
    PROFILE_SCHEMA,
    RECORDS,
    SCHEMA,
    Json,
    params_schema,
    profile_schema,
)
from eilev.config.section import ParamsError

PAGE = Path("docs/params.md")
# The profile that carries the paper's values.
PAPER = ("data=ego4d", "recipe=eilev", "model=blip2-opt-2.7b")

# What a file such as params.yaml holds.
Values = Mapping[str, Any]

# Of what is printed; names take up half of it.
_WIDTH = 120
_NAMES = {"integer": "whole number", "number": "number", "string": "text", "null": "null"}
_HEAD = f"""\
# Parameters

Every key of `params.yaml`: its value in the default, its value in the paper's profile where that is
another one, what it may be, what it is. `eilev params --explain KEY` prints the same for one key or
section, with its value in `params.yaml` now. The paper's profile, `{" ".join(PAPER)}`, carries
the paper's values, but for the differences that [profiles.md](profiles.md) lists. "The paper" is
[arXiv 2311.17041](https://arxiv.org/abs/2311.17041), "the reference" the code published with it.

`eilev params --docs` writes this page from the docstrings in `eilev/config/`.
"""


@dataclass(frozen=True)
class Key:
    """A key of params.yaml: what its value may be, what it is, the keys below it in a record."""

    name: str
    kind: str
    text: str
    # Name of the record's class.
    record: str = ""
    below: tuple["Key", ...] = ()


def parameters() -> tuple[Key, ...]:
    """The sections of params.yaml with all their keys; those of a list's records have no number."""
    schema = params_schema()
    return _keys(schema, "", schema["$defs"])


def explain(name: str, columns: Mapping[str, Values]) -> str:
    """Say what a key is, and which keys it has if it is a section or record.

    Args:
        name: dotted; with numbers of list items, as errors have them, or without.
        columns: where values come from, and the values.

    Raises:
        ParamsError: there is no such key; the message has near ones.
    """
    key = _find(".".join(part for part in name.split(".") if not part.isdigit()))
    lines = [f"{key.name}: {key.kind}"]
    if not key.below:
        width = max(map(len, columns))
        shown = {title: _value(name, values) for title, values in columns.items()}
        lines += [f"  {title:<{width}}  {value}" for title, value in shown.items() if value]
    lines += ["", textwrap.fill(key.text, _WIDTH), ""]
    first = next(iter(columns.values()))
    return "\n".join([*lines, *_table(list(_flat(key.below)), first)]).rstrip()


def generated(default: Values, paper: Values) -> dict[Path, str]:
    """Everything that is written from the docstrings, by its place.

    Args:
        default: the values of the default.
        paper: those of the profile PAPER.
    """
    schemas = {SCHEMA: params_schema(), PROFILE_SCHEMA: profile_schema()}
    texts = {path: json.dumps(schema, indent=2) + "\n" for path, schema in schemas.items()}
    return {PAGE: _page(default, paper), **texts}


def _page(default: Values, paper: Values) -> str:
    listed: dict[str, str] = {}
    parts = [_HEAD]
    for section in parameters():
        parts.append(f"## {section.name}\n\n{_fill(section.text)}\n")
        parts.append("\n".join(_items(section.below, default, paper, listed)) + "\n")
    return "\n".join(parts)


def _items(
    keys: tuple[Key, ...], default: Values, paper: Values, listed: dict[str, str]
) -> Iterator[str]:
    """List items; a record's keys come where it does first, which `listed` remembers."""
    for key in keys:
        again = listed.get(key.record, "")
        kind = f"{key.kind} as `{again}`" if again else key.kind
        value, other = (_value(key.name, each) for each in (default, paper))
        if key.below and not again:
            listed[key.record] = key.name
            # Its keys follow with their values, unless it is a list or null.
            value, other = ("" if each.startswith("{") else each for each in (value, other))
        head = [f"`{value}`"] if value else []
        head += [f"paper's profile `{other}`"] if other and other != value else []
        yield f"- **`{key.name}`**: {'; '.join([*head, kind])}\\\n{_fill(key.text, '  ')}"
        if not again:
            yield from _items(key.below, default, paper, listed)


def _table(keys: list[Key], values: Values) -> list[str]:
    """A line for each key: name, value, the beginning of what it is."""
    name_width = max((len(key.name) for key in keys), default=0)
    shown = ["" if key.below else _short(_value(key.name, values), 24) for key in keys]
    value_width = max(map(len, shown), default=0)
    heads = [
        f"{key.name:<{name_width}}  {value:<{value_width}}  "
        for key, value in zip(keys, shown, strict=True)
    ]
    return [
        head + _short(key.text, _WIDTH - len(head)) for head, key in zip(heads, keys, strict=True)
    ]


def _find(name: str) -> Key:
    known = {key.name: key for key in _flat(parameters())}
    if name in known:
        return known[name]
    last = name.split(".")[-1]
    near = [each for each in known if each.split(".")[-1] == last]
    alike = get_close_matches(last, {each.split(".")[-1] for each in known}, cutoff=0.75)
    near += [each for each in known if each.split(".")[-1] in alike and each not in near]
    others = f"did you mean {', '.join(near[:5])}?" if near else "`eilev params` prints all of them"
    raise ParamsError(f"params.yaml has no key '{name}'; {others}")


def _flat(keys: tuple[Key, ...]) -> Iterator[Key]:
    for key in keys:
        yield key
        yield from _flat(key.below)


def _keys(record: Json, prefix: str, records: Json) -> tuple[Key, ...]:
    return tuple(
        _key(f"{prefix}{name}", node, records) for name, node in record["properties"].items()
    )


def _key(name: str, node: Json, records: Json) -> Key:
    places = (node, node.get("items", {}), *node.get("anyOf", ()))
    of = next((place["$ref"].removeprefix(RECORDS) for place in places if "$ref" in place), "")
    if not of:
        return Key(name, _kind(node), node.get("description", ""))
    record = records[of]
    below = _keys(record, f"{name}.", records)
    if "description" not in node:  # a section, explained by its class
        return Key(name, "section", record["description"], of, below)
    return Key(name, _kind(node), node["description"], of, below)


def _kind(node: Json) -> str:
    """What a value may be, in words."""
    if "anyOf" in node:
        return ", or ".join(map(_kind, node["anyOf"]))
    if "enum" in node:
        return f"one of {', '.join(f'`{value}`' for value in node['enum'])}"
    if "$ref" in node:
        return "record"
    if node["type"] == "boolean":
        return "`true` or `false`"
    if node["type"] == "array":
        low, high = node.get("minItems"), node.get("maxItems")
        size = f" of {low}{'' if low == high else ' or more'}" if low else ""
        return f"list{size} ({_kind(node['items'])})"
    return _NAMES[node["type"]] + _range(node)


def _range(node: Json) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    text = f" above {node['exclusiveMinimum']:g}" if "exclusiveMinimum" in node else ""
    if "exclusiveMaximum" in node:
        text += f"{' and' if text else ''} below {node['exclusiveMaximum']:g}"
    if high is not None:
        text += f" from {low:g} to {high:g}"
    elif low is not None:
        text += f", {low:g} or more"
    return text + (f", a multiple of {node['multipleOf']}" if "multipleOf" in node else "")


def _value(name: str, values: Any) -> str:
    """The value as YAML on one line; empty where a key lies inside a list or an absent record."""
    for part in name.split("."):
        if isinstance(values, list) and part.isdigit() and int(part) < len(values):
            values = values[int(part)]
        elif isinstance(values, Mapping) and part in values:
            values = values[part]
        else:
            return ""
    text = yaml.safe_dump(values, default_flow_style=True, sort_keys=False, width=10**9)
    return text.removesuffix("\n").removesuffix("\n...")


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3].rstrip()}..."


def _fill(text: str, indent: str = "") -> str:
    """A paragraph of the page; other pages are links."""
    linked = re.sub(r"\bdocs/(\w+\.md)", r"[\1](\1)", text)
    return textwrap.fill(
        linked, 120, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
