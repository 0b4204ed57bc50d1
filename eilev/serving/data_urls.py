"""Data URLs (RFC 2397) as clients write them, to bytes.

Their base64 may be in lines, without padding, percent-encoded or in the alphabet of URLs. Time and
memory are a small multiple of the URL's length, whatever is in it.
"""

import binascii
import re
from collections.abc import Iterator

# Parameters as in `codecs="avc1.42E01E, mp4a.40.2"`, and as browsers write them: `codecs=vp8,opus`.
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PARAMETER = rf';(?:[^;,"]|{_QUOTED})*'
_BROWSERS_PARAMETER = rf';(?:[^;"]|{_QUOTED})*'
_BASE64 = re.compile(
    rf"\s*data:[^;,]*(?:{_BROWSERS_PARAMETER})*?;\s*base64\s*(?:{_PARAMETER})*,", re.I
)
_PLAIN = re.compile(rf"\s*data:[^;,]*(?:{_PARAMETER})*,", re.I)
_MAX_HEADER = 1024

_NO_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_FROM_URL_ALPHABET = bytes.maketrans(b"-_", b"+/")
_SPACE = b" \t\r\n\f\v"
# Bytes of base64 that are read at once.
_PIECE = 2**20


class DataUrlError(ValueError):
    """A data URL can't be read; the message tells why."""


def read_data_url(url: str, max_parts: int) -> tuple[bytes, ...]:
    """The content of a data URL, whatever its media type.

    Args:
        url: of which base64 data may have several parts, separated by commas.
        max_parts: more are refused.

    Raises:
        DataUrlError: it is malformed, or a part is empty or not base64.
    """
    is_base64 = _BASE64.match(url, 0, _MAX_HEADER)
    header = is_base64 or _PLAIN.match(url, 0, _MAX_HEADER)
    if header is None:
        raise DataUrlError("a data URL is data:video/mp4;base64, and the data; here is no comma")
    body = _unescaped(url[header.end() :].encode(errors="replace"))
    if not is_base64:
        return (_not_empty(body, "the data"),)
    num_parts = body.count(b",") + 1
    if num_parts == 1:
        return (_from_base64(body, "the data"),)
    if num_parts > max_parts:
        raise DataUrlError(f"{num_parts:,} frames; at most {max_parts:,} are one clip")
    parts = enumerate(body.split(b","))
    return tuple(_from_base64(part, f"frame {number}") for number, part in parts)


def _unescaped(body: bytes) -> bytes:
    """What `urllib.parse.unquote_to_bytes` gives, which takes forty times the memory."""
    if b"%" not in body:
        return body
    if _NO_ESCAPE.search(body):
        raise DataUrlError("a '%' that two hexadecimal digits do not follow; encode it as %25")
    # As quoted-printable, which is the same with another sign.
    return binascii.a2b_qp(body.replace(b"=", b"=3D").replace(b"%", b"="))


def _from_base64(text: bytes, name: str) -> bytes:
    try:
        return _not_empty(b"".join(_decoded(text)), name)
    except binascii.Error as error:
        raise DataUrlError(f"{name} is not base64: {error}") from error


def _decoded(text: bytes) -> Iterator[bytes]:
    """In pieces, between which other threads have their turn (binascii.Error: not base64)."""
    left = b""
    for start in range(0, len(text), _PIECE):
        left += text[start : start + _PIECE].translate(_FROM_URL_ALPHABET, _SPACE)
        # One to four stay, as only the last ones may be padded.
        whole = max(0, len(left) - 1) // 4 * 4
        piece, left = left[:whole], left[whole:]
        if piece.endswith(b"="):
            raise binascii.Error("Excess data after padding")
        yield binascii.a2b_base64(piece, strict_mode=True)
    if left.strip(b"="):  # else it is padding that was not needed
        yield binascii.a2b_base64(left + b"=" * (-len(left) % 4), strict_mode=True)


def _not_empty(content: bytes, name: str) -> bytes:
    if not content:
        raise DataUrlError(f"{name} is empty")
    return content
