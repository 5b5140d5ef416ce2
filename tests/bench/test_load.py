"""dnsperf's output is read whole or refused."""

import pytest

from bench.load import parse
from bench.machine import BenchError

SAID = """DNS Performance Testing Tool
Version 2.10.0

[Status] Command line: dnsperf -s 127.0.0.1 -p 5300 -d mix.txt -l 4 -c 512 -q 400 -t 3
[Status] Sending queries (to 127.0.0.1:5300)
[Timeout] Query timed out: msg id 3991
[Status] Testing complete (time limit)

Statistics:

  Queries sent:         40000
  Queries completed:    39996 (99.99%)
  Queries lost:         4 (0.01%)

  Response codes:       NOERROR 39990 (99.98%), NXDOMAIN 4 (0.01%), SERVFAIL 2 (0.01%)
  Average packet size:  request 32, response 48
  Run time (s):         20.000157
  Queries per second:   1999.784302

  Average Latency (s):  0.585313 (min 0.000025, max 4.788795)
  Latency StdDev (s):   1.236464

"""
NOTHING_ANSWERED = """Statistics:

  Queries sent:         100
  Queries completed:    0 (0.00%)
  Queries lost:         100 (100.00%)

  Run time (s):         1.000000
  Queries per second:   0.000000

"""


def test_every_figure_is_read() -> None:
    load = parse(SAID)
    assert (load.sent, load.completed, load.lost) == (40_000, 39_996, 4)
    assert (load.seconds, load.qps) == (20.000157, 1999.784302)
    assert (load.mean_latency, load.max_latency) == (0.585313, 4.788795)
    assert load.codes == {"NOERROR": 39_990, "NXDOMAIN": 4, "SERVFAIL": 2}


def test_answers_that_are_no_success_are_wrong() -> None:
    assert parse(SAID).wrong == 6


def test_a_server_that_answers_nothing_has_no_latency() -> None:
    load = parse(NOTHING_ANSWERED)
    assert (load.completed, load.lost, load.max_latency, load.codes, load.wrong) == (0, 100, 0.0, {}, 0)


@pytest.mark.parametrize(
    "line", ["Queries sent:", "Queries completed:", "Queries lost:", "Run time (s):", "Queries per second:", "Average Latency (s):"]
)
def test_output_without_a_figure_is_refused(line: str) -> None:
    cut = "\n".join(text for text in SAID.splitlines() if line not in text)
    with pytest.raises(BenchError, match="dnsperf"):
        parse(cut)
