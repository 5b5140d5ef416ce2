"""A builder for the supervisor's tests: appends a line to `log`, then prints what stands in the file `answer`, and ends with the code in it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

job = json.load(sys.stdin)
with open(job["log"], "a", encoding="ascii") as log:
    log.write("build\n")
answer = json.loads(Path(job["answer"]).read_text(encoding="utf-8"))
if answer:
    print(json.dumps(answer), flush=True)
sys.exit(0 if answer and answer["ok"] else 1)
