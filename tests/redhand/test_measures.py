"""What figures become on the way to a person or to Prometheus: shares, rates, quantiles, families that the reference parser takes."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from redhand import measures
from redhand.exposition import MOST_ORDERS
from redhand.figures import Found
from redhand.metrics import rendered
from resolver.board import FAMILIES, layout
from resolver.histogram import BOUNDS


def found(**numbers: float) -> Found:
    """Figures of one worker: zeros but for these, whose labels stand after two underscores, such as `queries__tcp`."""
    wanted = {tuple(name.split("__")): number for name, number in numbers.items()}
    return [
        (series.name, dict(series.labels), wanted.get((series.name, *(value for _, value in series.labels)), 0.0))
        for series in layout(["192.0.2.1:53"], ["everyone"])
    ]


def report(**changes: Any) -> dict[str, Any]:
    """A supervisor's report with figures."""
    return {
        "version": "1.2.3",
        "started": 1000,
        "list": {"serial": 4, "names": 3},
        "children": [{"name": "worker-0", "state": "ready", "restarts": 2}],
        "memory": {"worker-0": 1 << 20},
        "alarms": [],
        "orders": {},
        "figures": {"worker-0": found(queries__udp=7)},
    } | changes


def samples(told: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Values by sample name and labels, as the reference parser reads them."""
    text, kind = rendered(told, "text/plain")
    assert kind.startswith("text/plain; version=")
    read: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            read.setdefault(sample.name, {})[",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))] = sample.value
    return read


def test_every_series_of_the_board_reaches_prometheus_with_its_kind() -> None:
    text = rendered(report(), "text/plain")[0].decode()
    kinds = {family.name: family.type for family in text_string_to_metric_families(text)}
    for name, (kind, _) in FAMILIES.items():
        assert kinds[f"redhand_{name}"] == kind, name
    assert samples(report())["redhand_queries_total"]["transport=udp,worker=worker-0"] == 7
    assert all(not name.endswith(("_ms", "_kb", "_percent")) for name in kinds), "base units only"


def test_without_a_supervisor_only_that_is_said() -> None:
    assert samples({}) == {"redhand_up": {"": 0.0}}


def test_orders_beyond_the_thousand_most_blocking_are_one() -> None:
    orders = {f"FR-2026-{number:06}": number for number in range(11, MOST_ORDERS + 21)} | {"other": 10**6}
    shown = samples(report(orders=orders))["redhand_order_blocks_total"]
    assert len(shown) == MOST_ORDERS + 1
    assert shown["order=other"] == sum(range(11, 21)) // 10 * 10 + 10**6
    assert 0 <= sum(orders.values()) - sum(shown.values()) < 10 * len(shown)


def test_no_small_count_of_an_order_is_shown_nor_can_be_found_by_looking_twice() -> None:
    looks = [samples(report(orders={"FR-2026-000123": count, "other": count})).get("redhand_order_blocks_total", {}) for count in range(35)]
    for name in ("order=FR-2026-000123", "order=other"):
        shown = [look.get(name, 0) for look in looks]
        assert (shown[9], shown[10], shown[34]) == (0, 10, 30)
        assert {after - before for before, after in pairwise(shown)} == {0, 10}
    assert "FR-2026-000123" not in rendered(report(orders={"FR-2026-000123": 9}), "text/plain")[0].decode()


def test_references_and_alarms_of_any_letters_come_through() -> None:
    odd = 'Arrêté "n° 7"\\\nof 2026'
    alarm = {"name": odd, "source": "worker-0", "what": "x", "remedy": "y", "since": 1234}
    shown = samples(report(orders={odd: 50}, alarms=[alarm]))
    assert shown["redhand_order_blocks_total"] == {f"order={odd}": 50}
    assert shown["redhand_alarm"] == {f"name={odd},source=worker-0": 1}
    assert shown["redhand_alarm_since_time_seconds"] == {f"name={odd},source=worker-0": 1234}


def test_histograms_add_up() -> None:
    figures = {f"answer_seconds__{bound}": 10.0 for bound in BOUNDS} | {"answer_seconds__+Inf": 5.0, "answer_seconds__sum": 2.5}
    shown = samples(report(figures={"worker-0": found(**figures)}))
    buckets = shown["redhand_answer_seconds_bucket"]
    assert buckets["le=0.001,worker=worker-0"] == 70
    assert buckets["le=+Inf,worker=worker-0"] == shown["redhand_answer_seconds_count"]["worker=worker-0"] == 10 * len(BOUNDS) + 5
    assert shown["redhand_answer_seconds_sum"]["worker=worker-0"] == pytest.approx(2.5)


def test_rates_between_two_looks_and_after_a_new_start() -> None:
    before = measures.sums({"worker-0": found(queries__udp=100, queries__tcp=10, waited=50, blocked=5)})
    now = measures.sums({"worker-0": found(queries__udp=180, queries__tcp=30, waited=60, blocked=9)})
    lately = now.since(before)
    assert (lately.queries, lately.tcp, lately.waited, lately.blocked) == (100, 20, 10, 4)
    assert lately.hits == pytest.approx(0.9)
    assert before.since(now).queries == 0
    assert before.since(before).hits is None


def test_quantiles_are_never_too_low() -> None:
    one = measures.sums({"worker-0": found(**{"answer_seconds__1e-05": 98, "lookup_seconds__0.05": 1, "lookup_seconds__+Inf": 1})})
    assert [one.quantile(share) for share in (0.5, 0.98, 0.99, 1)] == [1e-05, 1e-05, 0.05, math.inf]
    assert measures.sums({}).quantile(0.5) is None


def test_upstreams_over_all_workers() -> None:
    address = "192.0.2.1:53"
    (upstream,) = measures.upstreams({
        "worker-0": found(
            **{f"upstream_sent__{address}": 90, f"upstream_missed_tries__{address}": 9, f"upstream_round_trip_seconds__{address}": 0.02}
        ),
        "worker-1": found(**{f"upstream_sent__{address}": 10, f"upstream_missed_tries__{address}": 1, f"upstream_away__{address}": 1}),
    })  # fmt: skip
    assert (upstream.address, upstream.sent, upstream.lost, upstream.round_trip, upstream.away) == (address, 100, 0.1, 0.02, 1)


def test_words() -> None:
    assert [measures.duration(seconds) for seconds in (None, 1e-05, 0.0005, 0.2, 1.0, 5.0, math.inf)] == [
        "-", "0.01 ms", "0.5 ms", "200 ms", "1 s", "5 s", "> 5 s",
    ]  # fmt: skip
    assert [measures.share(part) for part in (None, 0.0, 0.9725, 1.0)] == ["-", "0.0 %", "97.2 %", "100.0 %"]
