import base64
import tracemalloc
from contextlib import suppress
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

import numpy as np
import pytest

from eilev.serving.data_urls import DataUrlError, read_data_url

# Its base64 has both + and /, in two lines of 76, and padding.
CONTENT = bytes(range(256)) + b"\xfb\xff"
BASE64 = base64.b64encode(CONTENT).decode()
LINES = base64.encodebytes(CONTENT).decode()


def read(url, max_parts=8):
    return read_data_url(url, max_parts)


@pytest.mark.parametrize(
    "header",
    [
        "data:video/mp4;base64",
        "data:;base64",
        "DATA:VIDEO/MP4;BASE64",
        "data:application/octet-stream;base64",
        "data:video/quicktime;base64",
        "data:video/x-matroska;base64",
        "data:image/svg+xml;base64",
        "data:video/mp4;charset=utf-8;base64",
        "data:text/plain;charset=UTF-8;page=21;base64",
        "data:;charset=utf-8;base64",
        "data:video/mp4;base64;charset=utf-8",
        "data:video/mp4;name=a%2Cb.mp4;base64",
        'data:video/mp4;codecs="avc1.42E01E, mp4a.40.2";base64',
        'data:video/mp4;codecs="a;base64,b";name="c, \\"d\\"";base64',
        'data:video/mp4;base64;codecs="avc1.42E01E, mp4a.40.2"',
        # As FileReader writes what MediaRecorder recorded.
        "data:video/webm;codecs=vp8,opus;base64",
        "data:video/x-matroska;codecs=avc1,opus;charset=utf-8;base64",
        "data:video/mp4; codecs=avc1; base64",
        " \n data: video/mp4 ;base64 ",
        "data:mp4;base64",
    ],
)
def test_headers(header):
    assert read(f"{header},{BASE64}") == (CONTENT,)


@pytest.mark.parametrize(
    "text",
    [
        LINES,
        LINES.replace("\n", "\r\n"),
        BASE64.replace("A", " A\t"),
        quote(LINES, safe=""),
        quote(BASE64),
        BASE64.replace("+", "%2b").replace("/", "%2f").replace("=", "%3d"),
        BASE64.rstrip("="),
        base64.urlsafe_b64encode(CONTENT).decode(),
        base64.urlsafe_b64encode(CONTENT).decode().rstrip("="),
    ],
)
def test_base64_as_clients_write_it(text):
    assert read(f"data:video/mp4;base64,{text}") == (CONTENT,)


@pytest.mark.parametrize("size", range(1, 9))
def test_padding_may_be_missing(size):
    text = base64.b64encode(CONTENT[:size]).decode().rstrip("=")
    assert read(f"data:;base64,{text}") == (CONTENT[:size],)


@pytest.mark.parametrize("piece", [1, 2, 3, 4, 5, 7, 64])
def test_pieces_are_read_as_the_whole(monkeypatch, piece):
    monkeypatch.setattr("eilev.serving.data_urls._PIECE", piece)
    for text in (BASE64, LINES, BASE64.rstrip("="), f"{BASE64}\n\n", f"{BASE64[:8]}=="):
        content = base64.b64decode(text + "=" * 2)
        assert read(f"data:;base64,{text}") == (content,)
    for text in ("AA==AA==", "AAA=AAAA", "AA=A", "A", "AAAAA", "AA==\nAAAA", "=", "===="):
        with pytest.raises(DataUrlError):
            read(f"data:;base64,{text}")


def test_data_that_is_not_base64():
    # The examples of RFC 2397.
    assert read("data:,A%20brief%20note") == (b"A brief note",)
    greek = read("data:text/plain;charset=iso-8859-7,%be%d3%be")
    assert greek == (b"\xbe\xd3\xbe",)
    assert read(f"data:video/mp4,{quote_from_bytes(CONTENT)}") == (CONTENT,)
    assert read('data:video/mp4;codecs="a,b",x,y;z') == (b"x,y;z",)
    assert read("data:,a;base64,b") == (b"a;base64,b",)
    assert read("data:,\u00e9=%3D") == ("\u00e9==".encode(),)


def test_percent_encoding_is_that_of_urllib():
    rng = np.random.default_rng(1)
    pieces = [f"%{byte:02x}" for byte in range(256)] + [f"%{byte:02X}" for byte in range(256)]
    pieces += [chr(byte) for byte in range(128) if chr(byte) != "%"] * 4
    for _ in range(2000):
        body = "x" + "".join(rng.choice(pieces, 20))
        assert read(f"data:,{body}") == (unquote_to_bytes(body),)


def test_frames_are_separated_by_commas():
    first, second = (base64.b64encode(text).decode() for text in (b"one", b"four"))
    assert read(f"data:video/jpeg;base64,{first},{second}") == (b"one", b"four")
    assert read(f"data:video/jpeg;base64,{first}%2C{second}") == (b"one", b"four")
    assert read(f"data:video/jpeg;base64,{first},\n{second}") == (b"one", b"four")
    with pytest.raises(DataUrlError, match="2 frames; at most 1 are one clip"):
        read(f"data:video/jpeg;base64,{first},{second}", 1)
    with pytest.raises(DataUrlError, match="frame 1 is empty"):
        read(f"data:video/jpeg;base64,{first},,{second}")
    with pytest.raises(DataUrlError, match="frame 1 is not base64"):
        read(f"data:video/jpeg;base64,{first},*")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("data:video/mp4;base64", "no comma"),
        ('data:video/mp4;codecs="avc1;base64,AAAA', "no comma"),
        (f"data:video/mp4;name={'x' * 2000};base64,AAAA", "no comma"),
        ("data:;base64,", "the data is empty"),
        ("data:;base64,\n", "the data is empty"),
        ("data:,", "the data is empty"),
        ("data:;base64,AAA%", "'%' that two hexadecimal digits do not follow"),
        ("data:,100%!", "'%' that two hexadecimal digits do not follow"),
        ("data:;base64,A", "not base64"),
        ("data:;base64,AAAAA", "not base64"),
        ("data:;base64,AAA!", "not base64"),
        ("data:;base64,AA==AA==", "not base64"),
        ("data:;base64,AA=A", "not base64"),
        ("data:;base64,\u00e9\u00e9\u00e9\u00e9", "not base64"),
        ("data:;base64,\ud800", "not base64"),
    ],
)
def test_what_is_malformed_is_refused(url, message):
    with pytest.raises(DataUrlError, match=message):
        read(url)


@pytest.mark.parametrize(
    "body", ["%41" * 300_000, "%" * 900_000, "," * 900_000, "AAAA" * 225_000, ';"' * 450_000]
)
@pytest.mark.parametrize("header", ["data:;base64,", "data:,", 'data:;a="'])
def test_memory_is_a_small_multiple_of_the_length(header, body):
    url = header + body
    tracemalloc.start()
    with suppress(DataUrlError):
        read(url)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * len(url)
