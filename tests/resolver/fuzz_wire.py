"""Fuzzes what reads hostile octets, with coverage: `python -m tests.resolver.fuzz_wire [libFuzzer options]`.

The invariants are those of the Hypothesis tests (`tests.resolver.invariants`): any octets from a client get silence, a documented error or their
exact meaning; any octets from an upstream are refused, or passed on as exactly what dnspython finds on the question's chain.
The first octet says which, the type asked for and DO; for upstreams the header is made plausible, or hardly any input would be read.
"""

from __future__ import annotations

import struct
import sys

import atheris

with atheris.instrument_imports(include=["resolver.wire", "resolver.records", "resolver.compression"]):
    from resolver import compression, records, wire  # noqa: F401 - instrumented before anything else imports them

from tests.resolver.invariants import check_answer, check_query

_NAME = b"\3www\7example\0"
_TYPES = (1, 28, 5, 39, 15, 33, 35, 6, 16, 46, 65, 43)


def one_input(data: bytes) -> None:
    """Holds the invariants for one input; what they raise is the finding."""
    if not data:
        return
    choice, rest = data[0], data[1:]
    if choice & 1:
        check_query(rest)
    elif choice & 2:
        check_query(b"\x12\x34\x01\0\0\1\0\0\0\0\0" + bytes((choice >> 2 & 3,)) + rest)
    elif len(rest) >= 2:
        asked = _NAME + struct.pack(">HH", _TYPES[(choice >> 3) % len(_TYPES)], 1)
        head = b"\0\0\x81" + bytes((0x80 | rest[0] >> 7 << 1 | rest[0] >> 7,)) + struct.pack(">HHHH", 1, rest[0] & 7, rest[1] & 3, 0)
        check_answer(head + asked + rest[2:], asked, choice & 4 != 0)


def main() -> None:
    """Runs until an option says to stop, or an invariant falls."""
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
