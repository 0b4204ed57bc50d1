"""Words that no narrator has: what only a context can teach (the wug test of Berko, 1958).

Episodes told in the new words measure learning from the context alone. A vocabulary that is built
from narrations must hold them, or they could not be written; nothing trains on them. Training may
tell episodes in the invented words, others of their kind.
"""

from collections.abc import Sequence

from eilev.language.templates import inflect

# As many as the largest published context has clips (16) with its query, and a few more; the forms
# that lemminflect gives them lead back to them.
NEW_VERBS = (
    "blick", "brint", "dax", "drisp", "fep", "floam", "glorp", "gorp", "jelt", "lorp",
    "nark", "plonk", "skiv", "snorf", "trusk", "vorp", "wemb", "yorp", "zib", "zorp",
)  # fmt: skip
NEW_NOUNS = (
    "blicket", "bouba", "chuz", "fendle", "gazzer", "glimp", "kiki", "koba", "lepat", "manip",
    "mib", "modi", "pimwit", "rintle", "spad", "toma", "tove", "tulver", "wug", "zav",
)  # fmt: skip
INVENTED_VERBS = (
    "drob", "falp", "gack", "gamp", "gink", "gleck", "glilp", "hulb", "jolm", "kex", "lalm", "merk",
    "peft", "plont", "pog", "sint", "skorm", "trost", "vilp", "wub", "yerk", "yurm",
)  # fmt: skip
INVENTED_NOUNS = (
    "bribot", "drapom", "fliga", "guva", "hobom", "jalin", "jorib", "krilel", "ledom", "lugot",
    "madin", "minib", "nigom", "noga", "plupel", "rorin", "sibib", "tabom", "vurib", "wamin",
    "yopot", "zebib", "zepa", "zopin",
)  # fmt: skip
# The forms that a slot of a narration can have, of the words that mark them.
_VERB_FORMS = ("take", "takes", "taking", "took")
_NOUN_FORMS = ("knife", "knives")


def new_word_forms() -> list[str]:
    """Every form in which a narration could have a new word."""
    return _forms(NEW_VERBS, NEW_NOUNS)


def invented_word_forms() -> list[str]:
    """The same of the invented words."""
    return _forms(INVENTED_VERBS, INVENTED_NOUNS)


def _forms(verbs: Sequence[str], nouns: Sequence[str]) -> list[str]:
    forms = [inflect(form, verb, "VERB") for verb in verbs for form in _VERB_FORMS]
    forms += [inflect(form, noun, "NOUN") for noun in nouns for form in _NOUN_FORMS]
    return list(dict.fromkeys(forms))
