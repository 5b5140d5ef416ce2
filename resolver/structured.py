"""What a block answer says to a client that reads structured errors: I-JSON in the text of its Extended DNS Error. Pure.

draft-ietf-dnsop-structured-dns-error (read at revision 22 and in its editors' copy) for `c`, `j`, `s`, `o` and `l`;
draft-nottingham-dnsop-censorship-transparency for `fdbs`. The values come from the order's verified basis, and nothing is made up: what it lacks
is left out. An order carries the code Censored, with which no sub-error may stand; the operator's own block carries Blocked and sub-error 6.

Several forms are made, from the whole to the least, because an answer must fit in a datagram: `j` is given up first, then `o`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

from blocklists.index import Rule
from resolver.wire import Query

MOST_JUSTIFICATION = 400
"""Characters of `j`: the law and the beginning of the reasons. The whole is on the page and in the order."""
MOST_ORGANISATION = 120
MOST_CONTACT = 200

DNS_OPERATOR_POLICY = 6
"""The sub-error of a block that is the resolver operator's own; applicable to the code Blocked only."""

Form = bytes
"""The text of one Extended DNS Error: a JSON object without spaces, in UTF-8."""


class Explanations(Protocol):
    """Where the texts of rules come from; they may have to be read first, which no other query waits for."""

    def forms(self, rule: Rule) -> tuple[Form, ...] | None:
        """The rule's texts if they are at hand."""

    def wait(self, query: Query, rule: Rule) -> bool:
        """Has the texts read, and `query` answered through its `via` then; False when it cannot be."""


class Unexplained:
    """No texts but the references."""

    def forms(self, rule: Rule) -> tuple[Form, ...]:
        return bare(rule)

    def wait(self, query: Query, rule: Rule) -> bool:
        return False


_MAIL = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
_TELEPHONE = re.compile(r"\+[0-9][0-9 ().-]{5,30}")
_URI = re.compile(r"(?:mailto|tel|sips):[!-~]+")
_NO_CHARACTERS = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef" + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF)) + "]"
)
"""Control characters, and what no I-JSON text has: surrogates and noncharacters (RFC 7493 section 2.1)."""


def forms(rule: Rule, basis: Mapping[str, object], now: int, database: str = "", language: str = "", operator: str = "") -> tuple[Form, ...]:
    """The texts for a rule, longest first; the last is the least that may be sent, and there may be none.

    `basis` is the directive's or the list's (`Version.basis`); `now` in unix seconds: while disclosure is limited by law the reasons are held back;
    `database`: whose identifier the order's reference is, empty for none; `language`: which of several to prefer; `operator`: whose own list it is.
    """
    if rule.kind != "directive":
        given, words = _chosen(_texts(basis.get("description")), language)
        said, named = _cut(words, MOST_JUSTIFICATION), _cut(operator, MOST_ORGANISATION)
        return _reduced({"j": said, "s": DNS_OPERATOR_POLICY, "o": named, "l": given or language or "und"})
    issuer = _group(basis.get("issuer"))
    reasons = {} if _is_limited(basis, now) else _texts(basis.get("reasons"))
    given, words = _chosen(reasons, language)
    law = _plain(basis.get("legal_basis"))
    said = f"{law}. {words}" if law and words else law or words or rule.reference
    if basis.get("demonstration") is True:
        said = f"DEMONSTRATION. {said}"
    return _reduced(
        {
            "c": _contacts(issuer.get("contact"), _group(basis.get("redress")).get("url")),
            "j": _cut(said, MOST_JUSTIFICATION),
            "o": _cut(_plain(issuer.get("authority")), MOST_ORGANISATION),
            "l": given or _first_language(basis) or language or "und",
            "fdbs": _entries(rule, database),
        }
    )


def bare(rule: Rule, database: str = "") -> tuple[Form, ...]:
    """What can be said of a rule whose basis is not at hand in time: its reference."""
    if rule.kind != "directive":
        return _reduced({"j": rule.reference, "s": DNS_OPERATOR_POLICY, "l": "und"})
    return _reduced({"j": rule.reference, "l": "und", "fdbs": _entries(rule, database)})


def _reduced(whole: dict[str, object]) -> tuple[Form, ...]:
    found: list[Form] = []
    for dropped in ((), ("j",), ("j", "o", "l")):
        members = {key: value for key, value in whole.items() if value and key not in dropped}
        if not members.keys() & {"j", "o"}:
            members.pop("l", None)
        # A client discards an object without c, j and s; one that knows databases may still read that member.
        if members.keys() & {"c", "j", "s", "fdbs"}:
            form = json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()
            if form not in found:
                found.append(form)
    return tuple(found)


def _entries(rule: Rule, database: str) -> list[dict[str, str]]:
    """One identifier for all who meet the order, never one for each (a number of one's own would follow a person about)."""
    return [{"db": database, "id": rule.reference}] if database else []


def _contacts(*given: object) -> list[str]:
    """What of these is an address of a scheme that may stand in `c`: mail, telephone, sips. A web address is not, so that no client opens one."""
    found = []
    for text in map(_plain, given):
        if len(text) > MOST_CONTACT:
            continue
        if _URI.fullmatch(text):
            found.append(text)
        elif _MAIL.fullmatch(text):
            found.append(f"mailto:{text}")
        elif _TELEPHONE.fullmatch(text):
            found.append("tel:" + re.sub(r"[ ().]", "", text))
    return list(dict.fromkeys(found))


def _is_limited(basis: Mapping[str, object], now: int) -> bool:
    limits = _group(basis.get("nondisclosure"))
    until = limits.get("until")
    if isinstance(until, int):
        return until > now
    try:
        moment = datetime.fromisoformat(str(until))
    except ValueError:
        return bool(limits)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() > now


def _chosen(texts: Mapping[str, str], language: str) -> tuple[str, str]:
    """(language, text): the one preferred, else the first there is."""
    if not texts:
        return "", ""
    wanted = next((given for given in texts if given.partition("-")[0] == language), next(iter(texts)))
    return wanted, texts[wanted]


def _first_language(basis: Mapping[str, object]) -> str:
    return next(iter(_texts(basis.get("reasons"))), "")


def _texts(value: object) -> dict[str, str]:
    if isinstance(value, str):
        return {"": _plain(value)}
    return {str(language): _plain(text) for language, text in value.items()} if isinstance(value, dict) else {}


def _group(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _plain(value: object) -> str:
    return " ".join(_NO_CHARACTERS.sub(" ", value).split()) if isinstance(value, str) else ""


def _cut(text: str, most: int) -> str:
    """At most so many characters, between two words."""
    if len(text) <= most:
        return text
    kept = text[: most - 1].rpartition(" ")[0] or text[: most - 1]
    return f"{kept}\u2026"
