"""What stands before strangers' forms: how often one address, and all together, may send one, and whether a form is ours and a person filled it in.
And before flaggers' programs: how often one token may refer.

Addresses are held in memory alone, as a hash under a key that this process made for itself (`people.limits`). A form carries a stamp: when it was
given out, and its own number, signed. So a program that posts without looking is told so, and the same form sent twice is one referral, not two.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Literal

from authority.desk import facts
from authority.desk.desk import Desk
from authority.desk.errors import BadField, TooMany
from authority.desk.people.limits import MOST_KEPT, network
from authority.errors import AuthorityError
from blocklists.trust.policy import Epoch

SOONEST = 3
"""Seconds before which nobody has filled in a form."""
LATEST = 24 * 3600
"""Seconds after which a form is given out anew, with what was written in it."""
LOOKS = 60
"""Times in a minute that one address may ask what came of a referral."""
POLICY_SECONDS = 60

Form = Literal["report", "appeal"]


class Limit:
    """So many in a time from one, and so many from all. Threads share it."""

    def __init__(self, each: int, seconds: int, all_of_them: int | None = None, all_seconds: int = 60) -> None:
        self._each, self._seconds = each, seconds
        self._all, self._all_seconds = all_of_them, all_seconds
        self._recent: deque[int] = deque(maxlen=all_of_them or 1)
        self._held: OrderedDict[bytes, deque[int]] = OrderedDict()
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()

    def count(self, address: str, now: int) -> None:
        """Counts one from an address. Raises TooMany, uncounted."""
        self._count(network(address), now, lambda wait: f"too many came from your address; try again in {wait} s")

    def count_token(self, token: int, now: int) -> None:
        """Counts one with the token of this id. Raises TooMany, uncounted."""
        self._count(f"token:{token}", now, lambda wait: f"too many came with this token; try again in {wait} s")

    def _count(self, source: str, now: int, said: Callable[[int], str]) -> None:
        name = hashlib.blake2b(source.encode(), key=self._key, digest_size=16).digest()
        with self._lock:
            mine = self._held.get(name)
            if mine is not None and len(mine) == self._each and mine[0] > now - self._seconds:
                wait = mine[0] + self._seconds - now
                raise TooMany(said(wait), wait)
            if self._all is not None and len(self._recent) == self._all and self._recent[0] > now - self._all_seconds:
                wait = self._recent[0] + self._all_seconds - now
                raise TooMany(f"too many come at once just now; try again in {wait} s", wait)
            if mine is None:
                if len(self._held) >= MOST_KEPT:
                    self._held.popitem(last=False)
                mine = self._held[name] = deque(maxlen=self._each)
            self._held.move_to_end(name)
            mine.append(now)
            if self._all is not None:
                self._recent.append(now)


class Gate:
    """One for each application."""

    def __init__(self, desk: Desk) -> None:
        """The key of the stamps is a file, made at the first need: a form outlives the process."""
        self.reports = Limit(desk.settings.referrals_per_hour, 3600, desk.settings.referrals_per_minute)
        self.appeals = Limit(desk.settings.referrals_per_hour, 3600, desk.settings.referrals_per_minute)
        self.flagged = Limit(desk.settings.flagger_referrals_per_hour, 3600)
        self.looks = Limit(LOOKS, 60)
        self.filing = threading.Lock()
        """Held while an appeal is filed, so that one form sent twice at once is one appeal."""
        self.filed: OrderedDict[str, str] = OrderedDict()
        """References of the last appeals, by their forms' numbers."""
        self._key = _key(desk)
        self._desk = desk
        self._policy: tuple[int, Epoch | None] = (-POLICY_SECONDS, None)

    def stamp(self, form: Form, now: int) -> str:
        """For a form that is given out now."""
        text = f"{now}.{secrets.token_urlsafe(16)}"
        return f"{text}.{self._sign(form, text)}"

    def number(self, form: Form, stamp: str, now: int) -> str:
        """The number of a form that comes back. Raises BadField: of `stamp` when the form needs a new one, of `soon` when it only came too soon."""
        text, _, signature = stamp.rpartition(".")
        made, _, number = text.partition(".")
        right = hmac.compare_digest(signature.encode(errors="replace"), self._sign(form, text).encode())
        if not right or not made.isdigit() or not now - LATEST <= int(made) <= now:
            raise BadField("stamp", "the form is too old; look at what you wrote, and send it again")
        if now < int(made) + SOONEST:
            raise BadField("soon", "the form came back sooner than anybody writes; wait a few seconds, and send it again")
        return number

    def remember(self, number: str, reference: str) -> None:
        """That a form became this appeal."""
        self.filed[number] = reference
        if len(self.filed) > MOST_KEPT:
            self.filed.popitem(last=False)

    def epoch(self, now: int) -> Epoch | None:
        """What the published policy says now, read once a minute; None before anything is published."""
        read_at, found = self._policy
        if not read_at <= now < read_at + POLICY_SECONDS:
            try:
                found = facts.policy(self._desk).epochs[-1]
            except AuthorityError:
                found = None
            self._policy = (now, found)
        return found

    def _sign(self, form: Form, text: str) -> str:
        return hmac.new(self._key, f"{form}\n{text}".encode(errors="replace"), hashlib.sha256).hexdigest()


def _key(desk: Desk) -> bytes:
    path = desk.directory / "forms.key"
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    if not path.exists():
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
        try:
            os.link(part, path)  # whole, or not at all, and only one
        except FileExistsError:
            pass
        finally:
            part.unlink()
    return path.read_bytes()
