"""A child process for the supervisor's tests: does what its job says, with a real pid, real pipes and real signals.

The job: `log` (a file that each life appends its pid to), and what to do:
`end` (end at once with that code), `ignore_term`, `noise` (lines to print before being ready), `socket` (answer datagrams on that fd).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading

job = json.load(sys.stdin)
with open(job["log"], "a", encoding="ascii") as log:
    log.write(f"{os.getpid()}\n")
for line in job.get("noise", []):
    print(line, flush=True)
if "end" in job:
    sys.exit(job["end"])
stop = threading.Event()
signal.signal(signal.SIGTERM, (lambda *_: None) if job.get("ignore_term") else (lambda *_: stop.set()))
print(json.dumps({"ready": True, "serial": 7}), flush=True)
if "socket" in job:
    served = socket.socket(fileno=job["socket"])
    served.setblocking(True)
    served.settimeout(0.05)
    while not stop.is_set():
        try:
            data, client = served.recvfrom(64)
        except TimeoutError:
            continue
        served.sendto(f"{os.getpid()} {data.decode()}".encode(), client)
while not stop.wait(0.05):
    pass
