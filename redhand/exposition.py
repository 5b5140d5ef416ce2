"""The report as Prometheus metrics (prometheus.io/docs/instrumenting/exposition_formats). Pure: a report in, families of samples out.

No label is ever a client or a name one asked for. Orders are shown by their public reference: the MOST_ORDERS with the most blocks one by one, the
rest as one; in whole tens, and not before there are ten (`redhand.discreet`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from redhand.discreet import growing
from redhand.seen import OTHER
from resolver.board import FAMILIES

MOST_ORDERS = 1000


def families(report: Mapping[str, Any]) -> Iterator[Metric]:
    """Every metric of a running supervisor; of none (an empty report) only that there is none."""
    yield GaugeMetricFamily("redhand_up", "1 while the supervisor answers.", value=1 if report else 0)
    if not report:
        return
    yield _gauges("build_info", "Constantly 1; the version runs.", ("version",), [((report["version"],), 1)])
    yield GaugeMetricFamily("redhand_start_time_seconds", "When the supervisor started, in unix seconds.", value=report["started"])
    yield from _children(report["children"], report["memory"])
    yield from _list(report["list"])
    yield from _feed(report.get("feed"))
    yield from _alarms(report["alarms"])
    yield _orders(report["orders"])
    yield from _workers(report["figures"])


def _gauges(name: str, about: str, labels: tuple[str, ...], rows: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    family = GaugeMetricFamily(f"redhand_{name}", about, labels=labels)
    for having, number in rows:
        family.add_metric(having, number)
    return family


def _children(children: Iterable[Mapping[str, Any]], memory: Mapping[str, int]) -> Iterator[Metric]:
    yield _gauges("process_ready", "1 while a process serves.", ("process",), [((child["name"],), child["state"] == "ready") for child in children])
    restarts = CounterMetricFamily("redhand_process_restarts", "Starts of a process after its first.", labels=("process",))
    for child in children:
        restarts.add_metric((child["name"],), child["restarts"])
    yield restarts
    yield _gauges("resident_memory_bytes", "Memory a process has in use.", ("process",), [((name,), octets) for name, octets in memory.items()])


def _list(listed: Mapping[str, Any] | None) -> Iterator[Metric]:
    if listed:
        yield GaugeMetricFamily("redhand_built_list_serial", "Version of the block list last built.", value=listed["serial"])
        yield GaugeMetricFamily("redhand_built_list_names", "Names in the block list last built.", value=listed["names"])


def _feed(feed: Mapping[str, Any] | None) -> Iterator[Metric]:
    """How old what is believed is: alert on the times, which stand still when the feed does."""
    figures = (
        ("entries", "size", "Entries of the authority's log that were verified."),
        ("signed_time_seconds", "signed", "When the authority signed the state of its log that is in force, in unix seconds."),
        ("newest_time_seconds", "newest", "When the feed last proved that nothing newer was signed, in unix seconds."),
        ("looked_time_seconds", "looked", "When the feed was last looked at, whatever came of it, in unix seconds."),
    )
    for name, key, about in figures:
        if feed and isinstance(feed.get(key), int):
            yield GaugeMetricFamily(f"redhand_feed_{name}", about, value=feed[key])


def _alarms(alarms: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    rows = [((alarm["name"], alarm["source"]), alarm["since"]) for alarm in alarms]
    yield _gauges("alarm", "1 for each alarm that is on.", ("name", "source"), [(labels, 1) for labels, _ in rows])
    yield _gauges("alarm_since_time_seconds", "When an alarm began, in unix seconds.", ("name", "source"), rows)


def _orders(orders: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily("redhand_order_blocks", "Blocks by the order or list that asks for them, in whole tens.", labels=("order",))
    named = {reference: count for reference, count in orders.items() if reference != OTHER}
    most = sorted(named.items(), key=lambda item: (-item[1], item[0]))
    for reference, count in most[:MOST_ORDERS]:
        if shown := growing(count):
            family.add_metric((reference,), shown)
    if rest := growing(sum(count for _, count in most[MOST_ORDERS:]) + orders.get(OTHER, 0)):
        family.add_metric((OTHER,), rest)
    return family


def _workers(figures: Mapping[str, Iterable[tuple[str, Mapping[str, str], float]]]) -> Iterator[Metric]:
    rows: dict[str, list[tuple[str, Mapping[str, str], float]]] = {}
    for worker, found in figures.items():
        for name, having, number in found:
            rows.setdefault(name, []).append((worker, having, number))
    for name, (kind, about) in FAMILIES.items():
        if name not in rows:
            continue
        if kind == "histogram":
            yield _histogram(name, about, rows[name])
            continue
        labels = ("worker", *next(iter(rows[name]))[1])
        family = (CounterMetricFamily if kind == "counter" else GaugeMetricFamily)(f"redhand_{name}", about, labels=labels)
        for worker, of_series, number in rows[name]:
            family.add_metric((worker, *of_series.values()), number)
        yield family


def _histogram(name: str, about: str, rows: Iterable[tuple[str, Mapping[str, str], float]]) -> Metric:
    family = HistogramMetricFamily(f"redhand_{name}", about, labels=("worker",))
    by_worker: dict[str, dict[str, float]] = {}
    for worker, having, number in rows:
        by_worker.setdefault(worker, {})[having["le"]] = number
    for worker, counts in by_worker.items():
        seconds = counts.pop("sum", 0.0)
        so_far = 0.0
        buckets = []
        for bound, number in sorted(counts.items(), key=lambda item: float(item[0])):
            so_far += number
            buckets.append((bound, so_far))
        family.add_metric((worker,), buckets, sum_value=seconds)
    return family
