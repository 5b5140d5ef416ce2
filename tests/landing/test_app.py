"""The page over real sockets: what is said for each Host, and that nothing a client sends breaks it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import time
from html.parser import HTMLParser

import pytest

from tests.landing.conftest import HOSTILE, Resolver
from tests.landing.server import Landing
from tests.tools import in_time

VOID = {"meta", "link", "br"}


class Outline(HTMLParser):
    """The elements of a page, checked to be closed in order, with their attributes and the page's text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    def __getitem__(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.elements if found == tag]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words)).replace("\u2019", "'")


def test_a_blocked_name_gets_451_and_every_header(landing: Landing) -> None:
    answer = landing.ask("www.blocked.example")
    assert answer.status == 451
    assert answer["link"] == '<https://operator.example/>; rel="blocked-by"'
    assert answer["cache-control"] == "no-store"
    assert answer["referrer-policy"] == "no-referrer"
    assert answer["x-content-type-options"] == "nosniff"
    assert answer["content-type"] == "text/html; charset=utf-8"
    assert answer["content-language"] == "en"
    assert answer["vary"] == "Accept, Accept-Language, Sec-Fetch-Dest"
    assert "date" in answer
    assert "server" not in answer
    assert "set-cookie" not in answer


def test_the_security_policy_lets_nothing_in_but_the_inline_style(landing: Landing) -> None:
    answer = landing.ask("blocked.example")
    policy = dict(directive.split(" ", 1) for directive in answer["content-security-policy"].split("; "))
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "img-src": "data:",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }


@pytest.mark.parametrize("host", ["blocked.example", "own.example", "hostile.example", "nothing.example", "exact.example", "a..b"])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_page_is_well_made(landing: Landing, host: str, language: str) -> None:
    page = Outline(landing.ask(host, f"/?lang={language}").text)
    assert [page["html"][0]["lang"], len(page["h1"]), len(page["main"]), len(page["header"]), len(page["footer"])] == [language, 1, 1, 1, 1]
    assert not page["script"] + page["form"] + page["img"] + page["iframe"] + page["input"]
    assert [str(element["href"]).partition(":")[0] for element in page["link"]] == ["data"]
    assert not [attributes for _, attributes in page.elements if "style" in attributes or any(name.startswith("on") for name in attributes)]
    identities = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identities) == len(set(identities))
    labels = [attributes["aria-labelledby"] for _, attributes in page.elements if "aria-labelledby" in attributes]
    assert set(labels) <= set(identities)
    other = {"en": "fr", "fr": "en"}[language]
    assert [link["href"] for link in page["a"] if link["hreflang" if "hreflang" in link else "href"] == other] == [f"?lang={other}"]


def test_an_order_is_told_whole(landing: Landing) -> None:
    text = Outline(landing.ask("www.blocked.example").text).text
    for told in (
        "www.blocked.example is blocked by an official order. Example Telecom carries the order out.",
        "The site provokes acts of terrorism or publicly apologises for them.",
        "Ordered byOffice for the Protection of the Public",
        "blocked.example, and every name under it",
        "Public Safety Act 2015, section 6-1",
        "XX-2026-000123",
        "1 March 2026",
        "The site praises those who attacked a market.",
        "may contest this order before: Administrative Court of Exampleville.",
        "Time limit given in the order: 60 days.",
        "How to contest it: https://authority.example/appeal",
        "Ask the authority: orders@authority.example",
        "Independent review: Independent Reviewer of Orders.",
        "giving the name of the site and the reference XX-2026-000123, own-list: https://operator.example/",
        "This page records nothing about your visit",
        "its authenticity is not proved on this page by the authority's signature",
    ):
        assert told in text.replace("\u00a0", " "), told
    assert "own-list" in text


def test_the_visitors_language_is_spoken(landing: Landing) -> None:
    answer = landing.ask("blocked.example", fields="Accept-Language: fr-CA, en;q=0.5\r\n")
    text = Outline(answer.text).text
    assert answer["content-language"] == "fr"
    assert "L'accès à ce site est bloqué" in text
    assert "Le site loue ceux qui ont attaqué un marché." in text
    assert "1er mars 2026" in text.replace("\u00a0", " ")


def test_reasons_in_another_language_are_shown_as_such(landing: Landing) -> None:
    page = Outline(landing.ask("deep.blocked.example").text)
    assert "The order gives no reasons in English; they are shown as it gives them." in page.text
    assert [quote["lang"] for quote in page["blockquote"] if "lang" in quote] == ["de"]


def test_all_orders_in_force_are_shown_the_nearest_first(landing: Landing) -> None:
    text = Outline(landing.ask("deep.blocked.example").text).text
    assert "is blocked by 2 official orders" in text
    assert text.index("XX-2026-000300") < text.index("XX-2026-000123")
    assert text.count("its authenticity is not proved") == 2
    # The operator passes the name, which beats its own list and no order.
    assert "own-list" not in text


def test_an_operators_own_list_is_called_that(landing: Landing) -> None:
    answer = landing.ask("www.own.example")
    text = Outline(answer.text).text
    assert answer.status == 403
    assert "link" not in answer
    problem = json.loads(landing.ask("www.own.example", fields="Accept: application/problem+json\r\n").body)
    assert (problem["status"], problem["title"]) == (403, "Forbidden")
    assert "www.own.example is blocked by choice of Example Telecom. No authority has ordered it." in text
    assert "This is the operator's own policy and not an order of any authority." in text
    for absent in ("Ordered by", "order out", "Carried out by", "451", "contest this order"):
        assert absent not in text


def test_limited_disclosure_hides_the_reasons_and_nothing_else(landing: Landing) -> None:
    text = Outline(landing.ask("limited.example").text).text.replace("\u00a0", " ")
    assert "some particulars of this order are not public before 1 January 2098 (Secrets Act, section 2)" in text
    assert "praises those" not in text
    for told in ("Public Safety Act 2015", "XX-2026-000600", "Administrative Court of Exampleville", "Office for the Protection of the Public"):
        assert told in text


def test_hostile_texts_are_only_text(landing: Landing) -> None:
    answer = landing.ask("hostile.example")
    page = Outline(answer.text)
    assert not page["script"] + page["img"]
    assert page.text.count(HOSTILE) == 4
    assert not re.findall(r"\b49\b", page.text)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("exact.example", 451),
        ("www.exact.example", 404),
        ("notblocked.example", 404),
        ("example", 404),
        ("future.example", 404),
        ("passed.example", 404),
        ("BLOCKED.Example.:8080", 451),
        ("café.example", 451),
        ("xn--caf-dma.example:80", 451),
        ("%62locked.example", 451),
        ("127.0.0.1", 404),
        ("[::1]:8080", 404),
        ("", 404),
        ("blocked.example:99999", 400),
        ("blocked..example", 400),
        ("[::1", 400),
        ("blocked.example/path", 400),
        ("<b>.example", 400),
        (b"blocked\xff.example", 400),
        (b"x" * 5000, 400),
    ],
)
def test_hosts(landing: Landing, host: str | bytes, status: int) -> None:
    answer = landing.ask(host)
    assert answer.status == status
    assert answer["cache-control"] == "no-store"
    assert "server" not in answer
    if status != 451:
        assert "link" not in answer
        assert "blocked" not in (host if isinstance(host, str) else "") or "<h1>Access" not in answer.text


def test_an_unknown_host_hears_what_this_address_is(landing: Landing) -> None:
    text = Outline(landing.ask("nothing.example").text).text
    assert "This address carries the page that explains blocked sites. It is not a site" in text


def test_unicode_names_are_shown_with_their_ascii_form(landing: Landing) -> None:
    page = landing.ask("www.café.example")
    assert "<strong><bdi>www.café.example (www.xn--caf-dma.example)</bdi></strong> is blocked" in page.text
    assert "<title>Blocked: www.xn--caf-dma.example</title>" in page.text


def test_a_name_with_odd_octets_is_escaped(landing: Landing) -> None:
    name = "a'b&c.blocked.example"
    answer = landing.ask(name)
    assert answer.status == 451
    assert f"<title>Blocked: {html.escape(name)}</title>" in answer.text


def test_a_missing_host_is_a_plain_page_in_http_1_0_and_an_error_in_1_1(landing: Landing) -> None:
    assert landing.ask(None, version="1.0").status == 404
    assert landing.ask("blocked.example", version="1.0").status == 451
    for octets in (b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: blocked.example\r\nHost: other.example\r\n\r\n"):
        with landing.client() as client:
            client.send(octets)
            answer = client.answer()
            assert answer.status == 400
            assert answer["cache-control"] == "no-store"
            assert client.closed()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "CONNECT", "QUERY", "X"])
@pytest.mark.parametrize("target", ["/", "/a/b?c=d", "//", "/%00%ff", "/../../etc/passwd", "*", "/docs", "/.well-known/redhand/health"])
def test_every_method_and_path_gets_the_page(landing: Landing, method: str, target: str) -> None:
    answer = landing.ask("blocked.example", target, method)
    assert (answer.status, answer["content-type"]) == (451, "text/html; charset=utf-8")


def test_targets_in_other_forms(landing: Landing) -> None:
    assert landing.ask("nothing.example", "http://blocked.example/x").status == 451
    assert landing.ask("blocked.example", "http://nothing.example/").status == 404
    assert landing.ask("blocked.example", "http://a..b/").status == 400
    assert landing.ask("blocked.example", "blocked.example:443", "CONNECT").status == 451


def test_head_has_the_same_headers_and_no_body(landing: Landing) -> None:
    with landing.client() as client:
        client.send(b"HEAD / HTTP/1.1\r\nHost: blocked.example\r\n\r\nGET / HTTP/1.1\r\nHost: blocked.example\r\n\r\n")
        head, get = client.answer(with_body=False), client.answer()
    ignored = {"date"}
    assert (head.status, get.status) == (451, 451)
    assert [field for field in head.fields if field[0] not in ignored] == [field for field in get.fields if field[0] not in ignored]
    assert len(get.body) == int(head["content-length"])


def test_problem_details_when_json_is_preferred(landing: Landing) -> None:
    answer = landing.ask("www.deep.blocked.example", fields="Accept: application/json\r\nAccept-Language: fr\r\n")
    problem = json.loads(answer.body)
    assert (answer.status, answer["content-type"]) == (451, "application/problem+json")
    assert (problem["status"], problem["title"], problem["name"]) == (451, "Unavailable For Legal Reasons", "www.deep.blocked.example")
    assert [(order["reference"], order["verified"]) for order in problem["orders"]] == [("XX-2026-000300", False), ("XX-2026-000123", False)]
    assert problem["orders"][1]["redress"]["deadline_days"] == 60
    assert problem["orders"][1]["reasons"] == "Le site loue ceux qui ont attaqué un marché."
    odd = landing.ask("a'b&c.hostile.example", fields="Accept: application/json\r\n")
    assert json.loads(odd.body)["name"] == "a'b&c.hostile.example"
    assert json.loads(odd.body)["orders"][0]["legal_basis"] == HOSTILE
    unknown = landing.ask("nothing.example", fields="Accept: application/problem+json\r\n")
    assert (unknown.status, json.loads(unknown.body)["status"]) == (404, 404)


def test_an_alias_that_led_to_a_listed_name_is_explained(landing: Landing) -> None:
    answer = landing.ask("alias.example")
    text = Outline(answer.text).text
    assert answer.status == 451
    assert "alias.example is not itself listed: it is an alias that leads to blocked.example, which is." in text
    assert json.loads(landing.ask("alias.example", fields="Accept: application/json\r\n").body)["alias_of"] == "blocked.example"
    assert "blocked by choice of" in Outline(landing.ask("own-alias.example").text).text


def test_an_alias_is_judged_by_our_own_store(landing: Landing) -> None:
    assert landing.ask("stale-alias.example").status == 404
    assert landing.ask("odd.example").status == 404


def test_a_silent_resolver_costs_the_visitor_a_second_at_most(landing: Landing, resolver: Resolver) -> None:
    def visit(number: int) -> None:
        began = time.monotonic()
        assert landing.ask(f"{number}.silent.example").status == 404
        assert time.monotonic() - began > 0.9
        assert f"{number}.silent.example" in resolver.asked

    assert in_time(visit, 2)


def test_the_resolver_is_not_asked_about_names_that_are_listed(landing: Landing, resolver: Resolver) -> None:
    landing.ask("asked-1.blocked.example")
    landing.ask("asked-2.nothing.example")
    assert "asked-1.blocked.example" not in resolver.asked
    assert "asked-2.nothing.example" in resolver.asked


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_health_is_told_on_our_own_addresses_only(landing: Landing, host: str) -> None:
    answer = landing.ask(f"{host}:{landing.port}", "/.well-known/redhand/health")
    assert (answer.status, answer["content-type"]) == (200, "application/json")
    assert json.loads(answer.body) == {"status": "ok", "serial": 1}
    assert landing.ask("nothing.example", "/.well-known/redhand/health").status == 404


@pytest.mark.parametrize(
    ("octets", "answers"),
    [
        (b"POST / HTTP/1.1\r\nHost: blocked.example\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300000, 1),
        (
            b"POST / HTTP/1.1\r\nHost: blocked.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            b"GET / HTTP/1.1\r\nHost: blocked.example\r\n\r\n",
            1,  # how long a chunked body is shows only to who reads it: the connection ends
        ),
        (b"POST / HTTP/1.1\r\nHost: blocked.example\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: blocked.example\r\n\r\n", 2),
        (b"GET / HTTP/1.1\r\nHost: blocked.example\r\n\r\n" * 50, 50),
        (b"GET / HTTP/1.1\r\nHost: blocked.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n", 1),
        (b"GET / HTTP/1.1\r\nHost: blocked.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", 1),
        (b"GET /?lang=%FF&lang=" + b"a" * 5000 + b" HTTP/1.1\r\nHost: blocked.example\r\n\r\n", 1),
    ],
)
def test_bodies_pipelines_and_upgrades(landing: Landing, octets: bytes, answers: int) -> None:
    with landing.client() as client:
        client.send(octets)
        assert [client.answer().status for _ in range(answers)] == [451] * answers


def test_a_client_that_asks_before_sending_its_body_is_answered_and_left(landing: Landing) -> None:
    with landing.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: blocked.example\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
        answer = client.answer()
        assert (answer.status, answer["connection"]) == (451, "close")
        assert client.closed()


@pytest.mark.parametrize(
    "octets",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500 + b"\r\n\r\n",
        b"SM\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: blocked.example\r\nBad Header: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: blocked.example\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: blocked.example\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: blocked.example\r\n\r\n",
        b"\r\n" * 10 + b"\0\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_and_cut(landing: Landing, octets: bytes) -> None:
    with landing.client() as client:
        try:
            client.send(octets)
            answer = client.answer()
        except (ConnectionError, AssertionError):
            return  # cut while it was still talking
        assert answer.status in {400, 431}
        assert client.closed()
    assert landing.ask("blocked.example").status == 451
