"""`python -m porosity.lab.ask SECONDS NAME ADDRESS:PORT…`: returns when all these resolvers have an address for the name, asked from where it runs.

`NAME=ADDRESS`: when they have this one. It prints those that have none in time, and ends with status 1.
"""

from __future__ import annotations

import sys
import time

import dns.exception
import dns.message
import dns.query

WAIT_SECONDS = 0.5


def answers(address: str, port: int, name: str) -> bool:
    """Whether a resolver has data for a name, or the data wanted, over UDP."""
    asked, _, wanted = name.partition("=")
    try:
        found = dns.query.udp(dns.message.make_query(asked, "A"), address, WAIT_SECONDS, port).answer
    except (OSError, dns.exception.DNSException):
        return False
    return any(rdata.to_text() == wanted for rrset in found for rdata in rrset) if wanted else bool(found)


def wait(seconds: float, name: str, servers: list[str]) -> list[str]:
    """Those that do not answer in time."""
    ends = time.monotonic() + seconds
    waiting = list(servers)
    while waiting and time.monotonic() < ends:
        waiting = [each for each in waiting if not answers(each.rpartition(":")[0], int(each.rpartition(":")[2]), name)]
        time.sleep(0.02 if waiting else 0)
    return waiting


if __name__ == "__main__":
    late = wait(float(sys.argv[1]), sys.argv[2], sys.argv[3:])
    print(" ".join(late))
    sys.exit(bool(late))
