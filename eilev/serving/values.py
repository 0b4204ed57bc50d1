"""How much JSON is read: a value takes fifty times the memory of its bytes, and all others' time.

What a request may say fits into few values, as its videos are long strings. Bytes are counted, in
strings too, which no parser has to run for.
"""

from eilev.serving.protocol import ApiError

# Of a request, as it came.
Body = bytes | bytearray

# More than all text (64 KiB) and all parts that carry it.
MAX_VALUES = 2**17
# A number in a list is small. Frames that a client took itself stand between commas, too.
MAX_COMMAS = 2**21


def check_values(body: Body) -> None:
    """Refuse JSON of so many values that reading it would keep the others waiting.

    Raises:
        ApiError: 400.
    """
    num_values = body.count(b"{") + body.count(b"[") + body.count(b'"') // 2
    if num_values > MAX_VALUES:
        raise ApiError(400, f"body: {num_values} values, at most {MAX_VALUES} are read")
    num_commas = body.count(b",")
    if num_commas > MAX_COMMAS:
        raise ApiError(400, f"body: {num_commas} commas, at most {MAX_COMMAS} are read")
