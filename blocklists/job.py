"""What a builder is told: a job, and its form on the builder's standard input.

Apart from the builder, so that who starts one need not load what reads lists.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from blocklists.logs import Form
from blocklists.settings import BlocklistSettings


@dataclass(frozen=True)
class Job:
    """What to build from, and where."""

    settings: BlocklistSettings
    state_dir: Path
    base_dir: Path
    """Where relative paths of sources start."""
    own_names: tuple[str, ...]
    """Our own landing, feed and upstream names, which nothing may block."""
    as_of: int
    """Unix seconds: what has ended by then is left out."""
    logs: Form = "text"
    """How the builder logs."""
    confined: bool = False
    """Whether the builder gives up every right but to read, and to write in `state_dir` (`blocklists.confine`)."""


def read_job(text: str) -> Job:
    """The job in a JSON text: settings, state_dir, base_dir, own_names, as_of. Raises ValueError saying what is wrong with it."""
    try:
        found = json.loads(text)
        return Job(
            settings=BlocklistSettings.model_validate(found["settings"]),
            state_dir=Path(found["state_dir"]),
            base_dir=Path(found["base_dir"]),
            own_names=tuple(str(name) for name in found["own_names"]),
            as_of=int(found["as_of"]),
            logs=found.get("logs", "text"),
            confined=found.get("confined") is True,
        )
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"the job on standard input is not one: {error!r}; write it with write_job") from None


def write_job(job: Job) -> str:
    """The job as JSON, as `read_job` takes it."""
    return json.dumps(
        {
            "settings": job.settings.model_dump(mode="json"),
            "state_dir": str(job.state_dir),
            "base_dir": str(job.base_dir),
            "own_names": list(job.own_names),
            "as_of": job.as_of,
            "logs": job.logs,
            "confined": job.confined,
        }
    )
