"""Which datagrams are believed to answer a question (RFC 5452 section 9.1), and what servers say that know no EDNS. Pure: octets in, a word out.

A datagram fits when it repeats the question as it was sent, letter by letter. Everything else that came to the right socket is a near miss: the work
of somebody who guesses, or of a server that does not keep the letters' case, which only TCP can tell apart.
"""

from __future__ import annotations

from enum import Enum

from resolver.tries import Try
from resolver.wire import FORMERR, NOTIMP, OPT, QR

_IS_ANSWER = QR >> 8
_REFUSES_EDNS = (FORMERR, NOTIMP)
"""RCODEs of servers that know no EDNS (RFC 6891 section 7)."""
_ROOT_OPT = b"\0" + OPT.to_bytes(2, "big")


class Fit(Enum):
    """How a message stands to a question."""

    YES = 1
    """It answers it."""
    OTHER_CASE = 2
    """It answers it in other letters than were sent."""
    NO = 3
    """It answers something else."""


def fit(data: bytes, attempt: Try) -> Fit:
    """How a datagram with the right ID stands to the question as it was sent."""
    question = attempt.question
    if not data[2] & _IS_ANSWER:
        return Fit.NO
    if data[12 : 12 + len(question)] == question:
        return Fit.YES
    asked = attempt.lookup.question
    if repeats(data, asked):
        return Fit.YES if question == asked else Fit.OTHER_CASE  # sent in lower case: this server is known to change it
    return Fit.YES if _is_bare_refusal(data) else Fit.NO


def fits_by_tcp(data: bytes, question: bytes) -> bool:
    """The same over TCP, where nobody can guess and letters do not matter."""
    return data[2] & _IS_ANSWER != 0 and (repeats(data, question) or _is_bare_refusal(data))


def repeats(data: bytes, question: bytes) -> bool:
    """Whether a message repeats the question, whose name is in lower case, in whatever letters."""
    echoed = data[12 : 12 + len(question)]
    return echoed[-4:] == question[-4:] and echoed[:-4].lower() == question[:-4]


def _is_bare_refusal(data: bytes) -> bool:
    """A header alone that says FORMERR or NOTIMP, as old servers send to what they cannot read. All it can bring about is a further question."""
    return data[4:6] == b"\0\0" and data[3] & 15 in _REFUSES_EDNS


def refuses_edns(data: bytes, attempt: Try) -> bool:
    """Whether the server did not like our OPT: FORMERR, NOTIMP, or BADVERS, whose upper bits stand in its own OPT (RFC 6891 section 6.1.3)."""
    if not attempt.edns:
        return False
    if data[3] & 15 in _REFUSES_EDNS:
        return True
    start = 12 + len(attempt.question)
    return data[6:10] == b"\0\0\0\0" and data[start : start + 3] == _ROOT_OPT and data[start + 5 : start + 6] > b"\0"
