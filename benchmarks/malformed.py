"""Requests that nobody should send, made of one that is right."""

import json
import random
from collections.abc import Iterator
from typing import Any

_WRONG = [
    b"null", b"true", b"-1", b"0", b"1e400", b"NaN", b"-Infinity", b"9" * 400, b"[]", b"{}", b'""',
    b'"\\ud800"', b'"\\u0000"', b'"\xff\xfe"', b'"\xed\xa0\x80"', b"[" * 300, b'{"a":' * 300,
    b'"' + b"x" * 70_000 + b'"', b'"data:video/mp4;base64,AAAA"', b'"data:,%"', b'"file:///etc/passwd"',
]  # fmt: skip


def wrong_bodies(good: dict[str, Any], number: int, seed: int = 0) -> Iterator[bytes]:
    """So many bodies, each with something wrong in one place or cut off or twice there."""
    drawn = random.Random(seed)  # noqa: S311
    whole = json.dumps(good).encode()
    for _ in range(number):
        kind = drawn.randrange(4)
        if kind == 0:
            yield whole[: drawn.randrange(len(whole))]
        elif kind == 1:
            place = drawn.randrange(len(whole))
            yield whole[:place] + drawn.randbytes(drawn.randint(1, 8)) + whole[place:]
        elif kind == 2:
            yield whole[:-1] + b',"messages":' + drawn.choice(_WRONG) + b"}"
        else:
            yield _with(good, drawn)


def _with(good: dict[str, Any], drawn: random.Random) -> bytes:
    """A wrong value in place of any one."""
    changed = json.loads(json.dumps(good))
    holder: Any = changed
    while True:
        key = drawn.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        if not isinstance(holder[key], dict | list) or not holder[key] or drawn.random() < 0.2:
            break
        holder = holder[key]
    holder[key] = "WRONG"
    return json.dumps(changed).encode().replace(b'"WRONG"', drawn.choice(_WRONG))
