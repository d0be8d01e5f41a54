"""As much of HPACK (RFC 7541) as a client of one server needs, without the dynamic table.

Requests are written as literals that nobody is asked to remember, and the peer is told to remember nothing
(SETTINGS_HEADER_TABLE_SIZE of 0). So a block of headers means the same whenever it comes, and is decoded once.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

__all__ = ["decoded", "encoded"]

# Names of the static table that answers use (RFC 7541, appendix A); others are given by their number.
_STATIC = {
    8: (":status", "200"), 9: (":status", "204"), 10: (":status", "206"), 11: (":status", "304"),
    12: (":status", "400"), 13: (":status", "404"), 14: (":status", "500"),
    16: ("accept-encoding", "gzip, deflate"), 31: ("content-type", ""), 54: ("server", ""),
}  # fmt: skip
# Huffman codes of the digits (appendix B), which is what grpc-status consists of.
_DIGITS = {
    "00000": "0", "00001": "1", "00010": "2", "011001": "3", "011010": "4",
    "011011": "5", "011100": "6", "011101": "7", "011110": "8", "011111": "9",
}  # fmt: skip
_INDEXED, _REMEMBERED, _RESIZED = 0x80, 0x40, 0x20


def encoded(headers: Iterable[tuple[str, str]]) -> bytes:
    """Write headers as literals without indexing and without Huffman codes."""
    return b"".join(b"\0" + _string(name) + _string(value) for name, value in headers)


@functools.lru_cache(maxsize=4096)
def decoded(block: bytes) -> dict[str, str]:
    """Read a block of headers.

    Raises
    ------
    ValueError
        If it refers to the dynamic table, which the peer was told not to use.
    """
    found: dict[str, str] = {}
    place = 0
    while place < len(block):
        first = block[place]
        if first & _INDEXED:
            index, place = _number(block, place, 7)
            name, value = _entry(index)
            found[name] = value
        elif not first & _REMEMBERED and first & _RESIZED:
            _, place = _number(block, place, 5)  # a new size of the table, which has to be 0
        else:
            index, place = _number(block, place, 6 if first & _REMEMBERED else 4)
            name, place = (_entry(index)[0], place) if index else _text(block, place)
            found[name], place = _text(block, place)
    return found


def _string(text: str) -> bytes:
    content = text.encode("ascii")
    assert len(content) < 127  # one byte says how long it is
    return bytes([len(content)]) + content


def _entry(index: int) -> tuple[str, str]:
    if index > 61:
        raise ValueError(f"header {index} is one of the dynamic table, which was to be empty")
    return _STATIC.get(index, (f"static-{index}", ""))


def _number(block: bytes, place: int, bits: int) -> tuple[int, int]:
    """Read a whole number with a prefix of so many bits; give it, and the place behind it."""
    most = (1 << bits) - 1
    number = block[place] & most
    place += 1
    if number < most:
        return number, place
    shift = 0
    while True:
        byte = block[place]
        place += 1
        number += (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return number, place


def _text(block: bytes, place: int) -> tuple[str, int]:
    compressed = bool(block[place] & 0x80)
    length, place = _number(block, place, 7)
    content = block[place : place + length]
    return (_digits(content) if compressed else content.decode("latin-1")), place + length


def _digits(content: bytes) -> str:
    """Read digits out of Huffman codes; give anything else as hexadecimal, for nobody asks what it says."""
    bits = "".join(f"{byte:08b}" for byte in content)
    text, code = "", ""
    for bit in bits:
        code += bit
        if code in _DIGITS:
            text, code = text + _DIGITS[code], ""
    return text if len(code) < 8 and set(code) <= {"1"} else f"huffman-{content.hex()}"
