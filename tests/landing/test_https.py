"""What a visitor sees under HTTPS, in a real Chromium in a network of its own whose resolver is ours; docs/https.md has the whole table.

Held here: a name that is typed shows the page, though the browser tried https first; a link to https:// shows the browser's own error, at once; and
the operator's own pages are seen over TLS. bench/https.py makes the other visits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import https, visits
from bench.chromium import Chromium
from bench.https import VISITS
from bench.visits import BLOCKED, OWN, Network
from tests.tools import in_time, require, require_root

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 2.5
"""Seconds; Chromium waits three for a port 443 that says nothing before it tries http. Measured: 0.1 to 0.3."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    require_root()
    for program in ("chromium", "Xvfb", "xdotool", "nft", "ip", "unshare", "nsenter", "setpriv", "mount", "bash", "dig"):
        require(program)
    with Network(tmp_path_factory.mktemp("https"), secure=visits.PAGES) as found:
        found.refuse()
        yield found


@pytest.fixture(scope="module")
def browser(network: Network) -> Iterator[Chromium]:
    with network.browser("visitor") as found:
        yield found


def test_a_typed_name_is_tried_over_https_and_shows_the_page(browser: Chromium) -> None:
    tab = browser.tab()

    def visit(number: int) -> float:
        name = f"typed-{number}.{BLOCKED}"
        shown = VISITS["typed"].go(tab, name)
        assert (shown.what, shown.url) == ("page 451", f"http://{name}/")
        assert "XX-2026-000001" in shown.text
        return shown.seconds

    assert in_time(visit, AT_ONCE)
    tab.close()


def test_a_link_to_https_shows_the_browsers_own_error_at_once(browser: Chromium) -> None:
    tab = browser.tab()

    def visit(number: int) -> float:
        shown = VISITS["https"].go(tab, f"link-{number}.{BLOCKED}")
        assert shown.what == "ERR_CONNECTION_REFUSED"
        return shown.seconds

    assert in_time(visit, AT_ONCE)
    tab.close()


def test_the_operators_own_name_is_seen_over_tls_however_it_is_asked_for(browser: Chromium) -> None:
    tab = browser.tab()
    for shown in (tab.type(OWN, 10), tab.open(f"http://{OWN}/report?order=XX-2026-000001")):
        assert shown.what == "page 200"
        assert shown.url.startswith(f"https://{OWN}/")
    tab.close()


def test_port_443_of_the_own_pages_refuses_other_names_in_chromium_too(browser: Chromium, network: Network) -> None:
    tab = browser.tab()
    assert tab.open(f"https://{visits.PAGES[0]}/").what == "ERR_SSL_UNRECOGNIZED_NAME_ALERT", "an address is no name"
    tab.close()


# --- what the guides say of it


def test_the_guides_table_is_that_of_the_newest_record() -> None:
    whole = json.loads((https.newest() / "result.json").read_text(encoding="utf-8"))
    text = https.GUIDE.read_text(encoding="utf-8")
    assert https.guide(text, whole) == text, "write it again: python -m bench.https --guide"
    assert {each["visit"] for each in whole["seen"]} == set(VISITS)
    assert {each["port"] for each in whole["seen"]} == set(https.PORTS)
    seen = {(each["visit"], each["port"]): each["what"] for each in whole["seen"]}
    assert (seen["typed", "refused"], seen["https", "refused"]) == ("page 451", "ERR_CONNECTION_REFUSED")


def test_the_firewalls_lines_in_the_guide_are_those_that_were_measured() -> None:
    blocks = re.findall(r"^```\n(table inet .*?)^```$", (ROOT / "docs" / "operator.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert blocks == [visits.REFUSE]
