"""Text to token ids and back with the tokenizers library alone: serving needs no transformers."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from eilev.io import DataError, atomic_file, read_json, write_json

TOKENIZER_FILE = "tokenizer.json"
TOKENIZER_CONFIG_FILE = "tokenizer_config.json"
SPECIAL_TOKENS_FILE = "special_tokens_map.json"
TOKENIZER_FILES = (TOKENIZER_FILE, TOKENIZER_CONFIG_FILE, SPECIAL_TOKENS_FILE)

# Stands for a clip where plain transformers reads a pretrained language model that was given eyes.
VIDEO_TOKEN = "<video>"  # noqa: S105
_PAD, _EOS, _UNK, _NEWLINE = "<pad>", "</s>", "<unk>", "\n"
# SentencePiece's mark of a word's start.
_BOUNDARY = "\u2581"
# A newline, a word (with inner apostrophes and hyphens) or one other visible character.
_WORD = r"\n|\w+(?:['\u2019-]\w+)*|[^\w\s]"


@dataclass(frozen=True)
class TextCodec:
    """A tokenizer with the ids that the token layout needs.

    `bos_id` is None for T5. `newline_ids` is what separates clips and sentences: a newline as the
    tokenizer sees it or, where it drops white space, the bare word boundary.
    """

    tokenizer: Tokenizer
    bos_id: int | None
    eos_id: int
    pad_id: int
    newline_ids: tuple[int, ...]

    @property
    def vocab_size(self) -> int:
        """Number of tokens, special ones included."""
        return self.tokenizer.get_vocab_size(with_added_tokens=True)

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, without BOS or EOS."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def encode_narrations(self, texts: Sequence[str], *, after_prompt: bool) -> list[list[int]]:
        """Token ids of narrations as they stand in the token layout.

        `after_prompt`: they continue the prompt in its sequence (decoder-only), with a space.

        Raises:
            ValueError: no text, or an empty one.
        """
        if not texts or not all(text.strip() for text in texts):
            raise ValueError("give at least one narration, and none that is empty")
        return [self.encode(f" {text}" if after_prompt else text) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids` without special tokens; surrounding white space is kept."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=True)


def load_codec(folder: Path) -> TextCodec:
    """Read `tokenizer.json` and the names of its special tokens from a model's folder.

    Raises:
        DataError: a file is missing or broken, or names no end-of-sequence or padding token.
    """
    path = folder / TOKENIZER_FILE
    if not path.is_file():
        raise DataError(f"{path}: no such file; save the model with a fast tokenizer")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception for every broken file
        raise DataError(f"{path}: not a tokenizer: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    ids = {key: _token_id(tokenizer, name, path) for key, name in _special_tokens(folder).items()}
    for key in ("eos_token", "pad_token"):
        if key not in ids:
            raise DataError(f"{folder / SPECIAL_TOKENS_FILE}: '{key}' is missing")
    return _codec(tokenizer, ids.get("bos_token"), ids["eos_token"], ids["pad_token"])


def save_codec(codec: TextCodec, folder: Path) -> None:
    """Write the three files that `load_codec` and transformers' AutoTokenizer open."""
    names = {
        "bos_token": codec.bos_id,
        "eos_token": codec.eos_id,
        "pad_token": codec.pad_id,
        "unk_token": codec.tokenizer.token_to_id(_UNK),
    }
    special = {
        key: codec.tokenizer.id_to_token(token_id)
        for key, token_id in names.items()
        if token_id is not None
    }
    with atomic_file(folder / TOKENIZER_FILE) as temporary:
        codec.tokenizer.save(str(temporary))
    write_json(special, folder / SPECIAL_TOKENS_FILE)
    write_json(
        special
        | {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False},
        folder / TOKENIZER_CONFIG_FILE,
    )


def train_word_codec(texts: Iterable[str]) -> TextCodec:
    """A word-level codec over the words of `texts`, most frequent first, ties alphabetical.

    Words carry no leading space, so "The" is one token at the start of a narration and inside it;
    the decoder puts the spaces back: "The camera wearer cuts the onion." survives a round trip.

    Raises:
        ValueError: `texts` holds no word.
    """
    splitter = pre_tokenizers.Split(Regex(_WORD), behavior="removed", invert=True)
    counts = Counter(word for text in texts for word, _ in splitter.pre_tokenize_str(text))
    counts.pop(_NEWLINE, None)
    if not counts:
        raise ValueError("no word in the texts: a vocabulary cannot be built from nothing")
    words = sorted(counts, key=lambda word: (-counts[word], word))
    vocabulary = [_PAD, _EOS, _UNK, _NEWLINE, *words]
    tokenizer = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token=_UNK)
    )
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = _word_decoder()
    tokenizer.add_special_tokens(
        [AddedToken(name, special=True, normalized=False) for name in (_PAD, _EOS, _UNK)]
    )
    # As in OPT, one token opens and closes a sequence.
    eos_id = vocabulary.index(_EOS)
    return _codec(tokenizer, eos_id, eos_id, vocabulary.index(_PAD))


def codec_with_video(
    tokenizer: Tokenizer, bos_id: int | None, eos_id: int, pad_id: int | None
) -> TextCodec:
    """The codec of a language model that knows no videos yet: its tokenizer and VIDEO_TOKEN.

    Where there is no token for padding, the one that ends a sequence pads, too.
    """
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.add_special_tokens([AddedToken(VIDEO_TOKEN, special=True, normalized=False)])
    return _codec(tokenizer, bos_id, eos_id, eos_id if pad_id is None else pad_id)


@lru_cache(maxsize=1 << 18)
def count_words(text: str) -> int:
    """How many tokens a word-level codec makes of a text.

    >>> count_words("The camera wearer cuts the onion.")
    7
    """
    return len(re.findall(_WORD, text))


def _word_decoder() -> decoders.Decoder:
    return decoders.Sequence(
        [
            decoders.WordPiece(prefix="##", cleanup=False),  # tokens joined by single spaces
            decoders.Fuse(),
            decoders.Replace(Regex(r" (?=[.,:;?!)\]}])"), ""),
            decoders.Replace(Regex(r"(?<=[(\[{]) "), ""),
            decoders.Replace(Regex(r" ?\n ?"), "\n"),
        ]
    )


def _codec(tokenizer: Tokenizer, bos_id: int | None, eos_id: int, pad_id: int) -> TextCodec:
    newline_ids = tokenizer.encode(_NEWLINE, add_special_tokens=False).ids
    if not newline_ids:
        # T5's SentencePiece; the reference's sequences have the boundary (id 3) in its place.
        boundary = tokenizer.token_to_id(_BOUNDARY)
        newline_ids = [] if boundary is None else [boundary]
    return TextCodec(tokenizer, bos_id, eos_id, pad_id, tuple(newline_ids))


def _token_id(tokenizer: Tokenizer, name: str, path: Path) -> int:
    token_id = tokenizer.token_to_id(name)
    if token_id is None:
        raise DataError(f"{path}: has no token '{name}', which is a special token of the model")
    return token_id


def _special_tokens(folder: Path) -> dict[str, str]:
    """Names of the special tokens; the map (absent in newer checkpoints) wins over the config."""
    found: dict[str, str] = {}
    for name in (TOKENIZER_CONFIG_FILE, SPECIAL_TOKENS_FILE):
        if not (folder / name).is_file():
            continue
        for key in ("bos_token", "eos_token", "pad_token"):
            value = read_json(folder / name).get(key)
            # Older files hold {"content": "</s>", "lstrip": ...}.
            content = value.get("content") if isinstance(value, dict) else value
            if isinstance(content, str):
                found[key] = content
    return found
