"""Writes a version again upon a base of its own, the same in every verdict and in its identity, so that later changes stay quick.

    python -m blocklists.compaction < job.json        the builder's job; one JSON line of result on standard output

It runs when nothing else wants the processor, takes no lock that a build waits for, and gives way to every change that comes meanwhile: what it wrote
then becomes the base of that change's own version. Killed at any instant it leaves what was in force.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from pathlib import Path

from blocklists import confine, logs, publish, store
from blocklists.builder import Built, built, report
from blocklists.errors import REBUILD, StoreError
from blocklists.job import read_job
from blocklists.succession import Next, Place, carried, swollen
from blocklists.version import LAYERS, Layer, entries_of


def compact(state_dir: Path, keep: int) -> Built:
    """The version in force, upon a new base if that is due. Raises Busy when another process does the same, StoreError when the disk refuses."""
    started = time.monotonic()
    place = Place(state_dir, keep)

    def compose(previous: store.Version | None) -> Next:
        if previous is None:
            raise StoreError(f"there is no sound version in {state_dir} to write again; {REBUILD}")
        layers = {layer: Layer(**previous.manifest["layers"][layer]) for layer in LAYERS}
        entries = entries_of([line for layer in LAYERS for line in previous.layer(layer)], layers)
        return Next(entries, carried(previous), not previous.notice and swollen(previous), whole=True)

    with publish.compacting(state_dir):
        return built(place.advance(compose), place.alarms, started)


def main() -> int:
    """Does it for the job on standard input; exit codes as the builder's."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    gc.disable()
    logs.to_stderr("compaction")

    def work() -> Built:
        job = read_job(sys.stdin.read())
        logs.to_stderr("compaction", job.logs)
        if job.confined:
            confine.confine([job.state_dir], connects=False)
        return compact(job.state_dir, job.settings.keep_versions)

    return report(work)


if __name__ == "__main__":
    raise SystemExit(main())
