"""What the feed client is told: a job, and its form on the feed process's standard input."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from blocklists.logs import Form
from blocklists.settings import FeedSettings


@dataclass(frozen=True)
class FeedJob:
    """Whose feed to follow, and where to."""

    settings: FeedSettings
    state_dir: Path
    own_names: tuple[str, ...]
    """Our own landing, feed and upstream names, which nothing may block."""
    keep_versions: int
    """As `blocklists.keep_versions`."""
    demonstration: bool = False
    """Whether this is the demonstration's own feed; no other may be a demonstration authority's."""
    logs: Form = "text"
    confined: bool = False
    """Whether the process gives up every right but to read, to write in `state_dir`, and to connect (`blocklists.confine`)."""


def read_job(text: str) -> FeedJob:
    """The job in a JSON text. Raises ValueError saying what is wrong with it."""
    try:
        found = json.loads(text)
        return FeedJob(
            settings=FeedSettings.model_validate(found["settings"]),
            state_dir=Path(found["state_dir"]),
            own_names=tuple(str(name) for name in found["own_names"]),
            keep_versions=int(found["keep_versions"]),
            demonstration=found.get("demonstration") is True,
            logs=found.get("logs", "text"),
            confined=found.get("confined") is True,
        )
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"the job on standard input is not one: {error!r}; write it with write_job") from None


def write_job(job: FeedJob) -> str:
    """The job as JSON, as `read_job` takes it."""
    return json.dumps(
        {
            "settings": job.settings.model_dump(mode="json"),
            "state_dir": str(job.state_dir),
            "own_names": list(job.own_names),
            "keep_versions": job.keep_versions,
            "demonstration": job.demonstration,
            "logs": job.logs,
            "confined": job.confined,
        }
    )
