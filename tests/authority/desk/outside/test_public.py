"""The forms for everybody: what a person sees, what programs are told, and a flood that is limited and loses nothing that was accepted."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from authority.desk.desk import Desk
from authority.desk.errors import BadField, TooMany
from authority.desk.settings import DeskSettings
from authority.desk.tables import Appeal, Referral
from authority.desk.web.gate import SOONEST, Gate, Limit
from tests.authority.desk.outside.programs import Programs
from tests.authority.desk.outside.running import Keeper, stamp_of
from tests.authority.desk.web.pages import plain

NOW = 1_800_000_000


def send(house: Programs, path: str = "/report", address: str = "192.0.2.1", language: str = "en", waits: int = 10, **given: Any) -> httpx.Response:
    """Opens a form, waits, and sends it."""
    http = house.by("nobody", language).http
    stamp = stamp_of(http.get(path).text)
    house.now += waits
    return http.post(path, data={"stamp": stamp, **given}, headers={"X-Forwarded-For": address})


def referrals(house: Programs) -> int:
    with house.desk.store.reading() as session:
        return session.scalar(select(func.count()).select_from(Referral)) or 0


def test_anybody_refers_a_site_and_sees_what_comes_of_it(house: Programs) -> None:
    sent = send(house, location="https://www.public.test/page", words="A call to murder", category="terrorism", contact="me@reader.example")
    assert sent.status_code == 303, plain(sent.text)
    assert not sent.cookies
    page = house.by("nobody").get(sent.headers["location"])
    assert "We have it" in plain(page)
    assert "Nobody has looked at it yet" in plain(page)
    reference = re.findall(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}", page)[0]
    number = house.ask("clerk", "GET", "/search", params={"q": reference})[0]["case"]["number"]
    house.step(number, "assess", "officer", category="terrorism", finding="It is.")
    assert "It is being looked at" in plain(house.by("nobody").get(f"/report/status?reference={reference.lower()}"))
    assert "aucun signalement" in plain(house.by("nobody", "fr").get("/report/status?reference=AAAA-BBBB-CCCC-DDDD", 404))
    with house.desk.store.reading() as session:
        row = session.scalars(select(Referral).where(Referral.reference == reference)).one()
    assert (row.source, row.sender, row.contact, row.names) == ("public", "", "me@reader.example", ["www.public.test"])


def test_a_threat_to_life_is_urgent_at_once(house: Programs) -> None:
    assert send(house, location="threat.test", threat="yes").status_code == 303
    urgent = house.ask("officer", "GET", "/cases", params={"queue": "urgent"})["cases"]
    assert "threat.test" in [each["title"] for each in urgent]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"location": "no name"}, "no name of a site"),
        ({"location": "a.test", "contact": "nobody"}, "is no mail address"),
        ({"location": "a.test", "words": "x" * 20_001}, "write at most 20000"),
        ({"location": "a.test", "website": "http://spam.example"}, "is to stay empty"),
        ({"location": "a.test", "words": "\u202e"}, "U+202E"),
        ({}, "no name of a site"),
    ],
)
def test_what_is_refused_comes_back_as_it_was_written(house: Programs, given: dict[str, str], said: str) -> None:
    before = referrals(house)
    answer = send(house, **given)
    assert answer.status_code == 422
    assert said in plain(answer.text)
    assert given.get("location", "") in answer.text
    assert referrals(house) == before


def test_markup_is_shown_as_text(house: Programs) -> None:
    answer = send(house, location="<script>alert(1)</script>", words="</textarea><img src=x onerror=alert(1)>")
    assert "<script>" not in answer.text
    assert "<img" not in answer.text
    assert "&lt;/textarea&gt;" in answer.text


def test_a_program_that_does_not_look_is_told_and_a_person_tries_again(house: Programs) -> None:
    before = referrals(house)
    quick = send(house, waits=0, location="quick.test")
    assert (quick.status_code, "sooner than anybody writes" in quick.text) == (422, True)
    http = house.by("nobody").http
    forged = http.post("/report", data={"location": "quick.test", "stamp": f"{house.now - 60}.x.00"})
    assert "the form is too old" in forged.text
    old = send(house, waits=90_000, location="quick.test")
    assert "the form is too old" in old.text
    assert referrals(house) == before
    house.now += SOONEST
    # The page that said so has a form that is good.
    assert http.post("/report", data={"location": "quick.test", "stamp": stamp_of(old.text)}).status_code == 303
    assert referrals(house) == before + 1


def test_another_sites_form_is_refused(house: Programs) -> None:
    http = house.by("nobody").http
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://other.example"}):
        assert http.post("/report", data={"location": "a.test"}, headers=headers).status_code == 403
        assert http.post("/appeal", data={"order": "x"}, headers=headers).status_code == 403


def test_the_same_form_sent_twice_is_one_referral(house: Programs) -> None:
    http = house.by("nobody").http
    stamp = stamp_of(http.get("/report").text)
    house.now += 10
    before = referrals(house)
    answers = [http.post("/report", data={"stamp": stamp, "location": "twice.test"}) for _ in range(2)]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert referrals(house) == before + 1


def test_an_order_is_objected_to_and_the_answer_is_read(house: Programs) -> None:
    number, order = house.ordered("appealed.test")
    given = {"order": order.order_id, "standing": "owner", "words": "It is a newspaper."}
    sent = send(house, f"/appeal?order={order.order_id}", language="fr", **given)
    assert sent.status_code == 303, plain(sent.text)
    page = house.by("nobody", "fr").get(sent.headers["location"])
    assert "Réponse au plus tard" in page
    reference = re.findall(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}", page)[0]
    decision = {"appeal": reference, "decision": "lifted", "answer": "You are right <b>."}
    house.ask("officer", "POST", f"/cases/{number}/steps/decide_appeal", json={"why": "right", "details": decision})
    page = house.by("nobody").get(f"/appeal/status?reference={reference}")
    assert "The order is lifted." in page
    assert "You are right &lt;b&gt;." in page


def test_an_objection_to_no_order_is_none(house: Programs) -> None:
    case = house.case("drafted.test")
    draft = house.draft(case)
    for order in ("XX-0", draft.order_id, "'; DROP TABLE appeal; --"):
        answer = send(house, "/appeal", order=order, standing="owner", words="No.")
        assert (answer.status_code, "there is no order with this number" in answer.text) == (422, True)
    with house.desk.store.reading() as session:
        before = session.scalar(select(func.count()).select_from(Appeal))
    assert send(house, "/appeal", order="", standing="king", words="").status_code == 422
    with house.desk.store.reading() as session:
        assert session.scalar(select(func.count()).select_from(Appeal)) == before


def test_one_address_is_limited_and_another_is_not(house: Programs) -> None:
    most = house.desk.settings.referrals_per_hour
    answers = [send(house, address="198.51.100.7", waits=4, location=f"many-{each}.test") for each in range(most + 1)]
    assert [each.status_code for each in answers] == [303] * most + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert "too many came from your address" in answers[-1].text
    assert f"many-{most}.test" in answers[-1].text  # what was written is still there
    assert send(house, address="198.51.100.8", location="other.test").status_code == 303
    # What a client writes into the header itself is not believed: the proxy's own word is the last.
    http = house.by("nobody").http
    stamp = stamp_of(http.get("/report").text)
    house.now += 5
    forged = http.post("/report", data={"stamp": stamp, "location": "x.test"}, headers={"X-Forwarded-For": "203.0.113.9, 198.51.100.7"})
    assert forged.status_code == 429


def test_all_of_an_ipv6_household_is_one_address() -> None:
    limit = Limit(2, 3600)
    limit.count("2001:db8::1", NOW)
    limit.count("2001:db8::2", NOW)
    with pytest.raises(TooMany):
        limit.count("2001:db8::3", NOW)
    limit.count("2001:db8:0:1::1", NOW)
    limit.count("2001:db8::3", NOW + 3600)


def test_all_together_are_limited_over_any_minute() -> None:
    limit = Limit(100, 3600, 3)
    for each, second in enumerate((0, 30, 59)):
        limit.count(f"192.0.2.{each}", NOW + second)
    with pytest.raises(TooMany) as caught:
        limit.count("192.0.2.9", NOW + 59)
    assert caught.value.seconds == 1
    limit.count("192.0.2.9", NOW + 60)


def test_a_form_outlives_the_process_and_is_of_its_own_kind(house: Programs) -> None:
    gate, later = Gate(house.desk), Gate(house.desk)
    stamp = gate.stamp("report", NOW)
    assert later.number("report", stamp, NOW + 60) == gate.number("report", stamp, NOW + 60)
    for form, wrong in (("appeal", stamp), ("report", stamp[:-1]), ("report", ""), ("report", "é.é.é")):
        with pytest.raises(BadField, match="too old"):
            later.number(form, wrong, NOW + 60)  # type: ignore[arg-type]
    assert (house.desk.directory / "forms.key").stat().st_mode & 0o777 == 0o600


def test_a_flood_is_limited_loses_nothing_accepted_and_keeps_nobody_out(tmp_path: Path) -> None:
    """At the processes that serve: 24 connections that send as fast as they are answered, from 200 addresses, for three seconds and until some are
    told that it is too much; within the minute for which the limit counts."""
    keeper = Keeper(tmp_path, int(time.time()) - 60, referrals_per_minute=60)
    keeper.init()
    token = keeper.token("officer")
    accepted: list[str] = []
    statuses: Counter[int] = Counter()
    lock = threading.Lock()
    with keeper.serving() as served:
        made = int(time.time()) - SOONEST - 1
        desk = Desk(DeskSettings(), tmp_path)
        gate = Gate(desk)
        began, over = time.monotonic(), threading.Event()

        def flood(one: int) -> None:
            with httpx.Client(base_url=keeper.url, timeout=30) as http:
                turn = 0
                while not over.is_set():
                    turn += 1
                    data = {"stamp": gate.stamp("report", made), "location": f"https://flood-{one}-{turn}.test/"}
                    answer = http.post("/report", data=data, headers={"X-Forwarded-For": f"198.51.100.{(one * 31 + turn) % 200}"})
                    with lock:
                        statuses[answer.status_code] += 1
                        if answer.status_code == 303:
                            accepted.append(answer.headers["location"])

        threads = [threading.Thread(target=flood, args=(each,)) for each in range(24)]
        for each in threads:
            each.start()
        looks: list[float] = []
        while not (lasted := time.monotonic() - began) > 3 or ((statuses[429] < 24 or len(looks) < 4) and lasted < 40):
            looked = time.monotonic()
            answer = served.http.get("/api/v1/cases?queue=received", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200
            assert served.http.get("/sign-in").status_code == 200
            looks.append(time.monotonic() - looked)
        over.set()
        for each in threads:
            each.join()
        print(f"{dict(statuses)}; {len(looks)} looks of others, the slowest {max(looks):.2f} s")
        assert set(statuses) == {303, 429}
        assert len(accepted) == 60
        assert len(looks) > 3
        assert median(looks) < 5
        references = {each.partition("reference=")[2].partition("&")[0] for each in accepted}
        with desk.store.reading() as session:
            kept = set(session.scalars(select(Referral.reference).where(Referral.source == "public")))
        desk.close()
        assert kept == references
        assert len(references) == 60
        for reference in sorted(references)[:5]:
            assert served.http.get(f"/report/status?reference={reference}").status_code == 200
