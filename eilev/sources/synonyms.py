"""A file of synonyms: which words of a corpus mean the same action or thing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from eilev.io import DataError
from eilev.language.words import class_words

_SECTIONS = ("verbs", "nouns")


@dataclass(frozen=True, eq=False)
class Groups:
    """Words of one part of speech and their classes; another word is a class of its own."""

    classes: Mapping[str, str] = field(default_factory=dict)

    def class_of(self, word: str) -> str:
        """The class of a word."""
        return self.classes.get(word, word)

    @lru_cache(maxsize=4096)  # noqa: B019  (two groups live as long as the stage)
    def words_of(self, name: str) -> frozenset[str]:
        """Words of a class, those that its name spells out too; of "" those of all classes."""
        if not name:
            return frozenset(self.classes)
        grouped = {word for word, owner in self.classes.items() if owner == name}
        return frozenset(grouped | set(class_words(name)))


@dataclass(frozen=True)
class Synonyms:
    """The groups of verbs and of nouns."""

    verbs: Groups
    nouns: Groups


NO_SYNONYMS = Synonyms(Groups(), Groups())


def read_synonyms(path: Path) -> Synonyms:
    """Read YAML or JSON with sections `verbs` and `nouns`, each class to a list of words.

    A class's own name is one of its words: `cut: [slice, chop]` groups three.

    Raises:
        DataError: the file is missing or unreadable, has another form, or puts a word into two
            classes of a section (the message names section, class and word).
    """
    try:
        # JSON is YAML.
        root = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506  (a SafeLoader)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; set ingest.synonyms in params.yaml") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not valid YAML or JSON: {error}") from error
    if not isinstance(root, dict) or not root or not set(root) <= set(_SECTIONS):
        raise DataError(f"{path}: expected the sections 'verbs' and 'nouns' (one or both)")
    verbs, nouns = (Groups(_classes(path, name, root.get(name) or {})) for name in _SECTIONS)
    return Synonyms(verbs, nouns)


def _classes(path: Path, section: str, classes: Any) -> dict[str, str]:
    if not isinstance(classes, dict):
        raise DataError(f"{path}: {section} is no mapping of classes to lists of words")
    found: dict[str, str] = {}
    for name, words in classes.items():
        for word in _class_words(path, section, name, words):
            if found.setdefault(word, name) != name:
                raise DataError(f"{path}: {section}: '{word}' is in '{found[word]}' and '{name}'")
    return found


def _class_words(path: Path, section: str, name: Any, words: Any) -> list[str]:
    listed = [] if words is None else words
    if not isinstance(listed, list) or not all(isinstance(w, str) for w in [name, *listed]):
        raise DataError(
            f"{path}: {section}.{name} must be text with a list of words (quote on, off, yes, no)"
        )
    return [" ".join(str(word).lower().split()) for word in [name, *listed]]


class _Loader(yaml.SafeLoader):
    """Builds plain values only, and refuses a key that is there twice instead of losing one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((key for i, key in enumerate(keys) if key in keys[:i]), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(
                None, None, f"'{twice}' is there twice", node.start_mark
            )
        return super().construct_mapping(node, deep)
