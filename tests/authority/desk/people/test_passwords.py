"""Passwords: argon2id as RFC 9106 recommends, the same time for nobody, and what is refused as too easy."""

from __future__ import annotations

import contextlib
import statistics
import threading
import time

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type
from hypothesis import given, settings
from hypothesis import strategies as st

from authority.desk.errors import BadField, TooMany
from authority.desk.people import invitations, limits, passwords
from authority.desk.people.limits import Limits
from tests.authority.desk.people.house import REAL


@pytest.fixture(autouse=True)
def _real(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests make quick is here as it is."""
    monkeypatch.setattr(passwords, "_hasher", REAL)


def test_a_password_is_kept_as_argon2id_with_the_recommended_parameters() -> None:
    encoded = passwords.encode("seven grey herons by the weir")
    kept = extract_parameters(encoded)
    assert (kept.type, kept.time_cost, kept.memory_cost, kept.parallelism) == (Type.ID, 3, 64 * 1024, 4)
    assert passwords.matches(encoded, "seven grey herons by the weir")
    assert not passwords.matches(encoded, "seven grey herons by the Weir")
    assert not passwords.is_old(encoded)
    assert passwords.is_old(PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("x"))


def test_nobodys_password_takes_as_long_as_somebodys() -> None:
    encoded = passwords.encode("seven grey herons by the weir")
    passwords.matches(None, "x")  # the first time makes what it is compared with
    times: dict[str | None, list[float]] = {encoded: [], None: []}
    for _ in range(3):
        for kept, found in times.items():
            began = time.process_time()
            assert not passwords.matches(kept, "wrong")
            found.append(time.process_time() - began)
    known, unknown = (statistics.median(found) for found in times.values())
    assert 0.5 < known / unknown < 2, times


def test_nothing_matches_nobody() -> None:
    assert not passwords.matches(None, "nobody's")
    assert not passwords.matches("no hash at all", "x")


def test_a_flood_of_tries_does_not_take_the_machines_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at once, of 64 MiB each; who comes on top waits, and is told when that lasts."""
    monkeypatch.setattr(passwords, "PATIENCE_SECONDS", 0.05)
    held = [passwords._slot() for _ in range(passwords.AT_ONCE)]
    for slot in held:
        slot.__enter__()
    try:
        refused: list[bool] = []

        def one() -> None:
            try:
                passwords.encode("x")
            except TooMany:
                refused.append(True)

        thread = threading.Thread(target=one)
        thread.start()
        thread.join(10)
        assert refused == [True]
    finally:
        for slot in held:
            slot.__exit__()


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "aaaaaaaaaaaaaaaaaa",
        "password1234567",
        "123456123456123456",
        "jean.martin2026",
        "MartinJean-Jean",
        "qwertyqwerty123",
        "x" * 257,
        "           ",
    ],
)
def test_what_everybody_tries_first_is_refused(password: str) -> None:
    with pytest.raises(BadField):
        passwords.require_good(password, "jean.martin", "Jean Martin", "jean.martin@authority.example")


@pytest.mark.parametrize("password", ["seven grey herons by the weir", "Zwölf Boxkämpfer jagen", "k7#Vq!x2mPz9", "東京の雨は静かに降り続ける夜"])
def test_what_is_good_is_taken(password: str) -> None:
    passwords.require_good(password, "jean.martin", "Jean Martin", "jean.martin@authority.example")


@given(st.text(max_size=300), st.text(max_size=30))
@settings(max_examples=300)
def test_what_is_taken_is_no_name_and_has_the_length(password: str, about: str) -> None:
    with contextlib.suppress(BadField):
        passwords.require_good(password, about)
        assert passwords.SHORTEST <= len(password) <= passwords.LONGEST
        assert password.casefold() != about.casefold()


@given(st.text(max_size=60))
def test_a_code_is_read_however_it_is_typed(around: str) -> None:
    code = invitations.half()
    assert invitations.plain(code) == code
    assert invitations.plain(code.upper().replace("-", " ") + "  ") == code
    assert len(invitations.plain(around).replace("-", "")) <= len(around)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["192.0.2.1", "192.0.2.2", "junk", ""]), st.integers(0, 600)), max_size=120))
@settings(max_examples=100)
def test_no_order_of_tries_gives_more_than_the_bounds(tries: list[tuple[str, str, int]]) -> None:
    """In any hour an account is tried at most so often as its waits let it, an address at most so often in each window, whatever comes when."""
    limits_ = Limits()
    now, taken = 0, []
    for account, address, later in tries:
        now += later
        try:
            limits_.try_once(account, address, now)
        except TooMany:
            continue
        else:
            taken.append((now, account, address))
    for account in "abc":
        times = [at for at, one, _ in taken if one == account]
        for number in range(limits.FREE, len(times)):
            if times[number] - times[number - 1] < 24 * 3600:
                assert times[number] - times[number - 1] >= min(limits.MOST_WAIT, limits.FIRST_WAIT * 2 ** (number - limits.FREE))
