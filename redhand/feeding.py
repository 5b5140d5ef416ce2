"""`redhand sync`: the feed client without the rest, once or for as long as it is wanted."""

from __future__ import annotations

from typing import Any

from blocklists import logs
from blocklists.errors import ConfigurationError
from blocklists.feed.follow import follow, once
from redhand import demonstration, privileges, status
from redhand.alarms import Register
from redhand.assembly import feed_job
from redhand.config import Configuration, refuse
from redhand.crosscheck import foreign_orders
from redhand.supervisor import say


def follow_feed(configuration: Configuration, only_once: bool) -> int:
    """The exit code. Raises ConfigurationError when there is no feed to follow, StoreError when this machine fails."""
    settings = configuration.settings
    if not settings.feed.urls:
        raise ConfigurationError("feed.urls: names no feed; write there the address the authority gave, and its root file in feed.root")
    refuse(foreign_orders(configuration))
    if demonstration.is_meant(settings.feed) and not status.read(settings.state_dir, status.MAIN):
        raise ConfigurationError("feed.urls: the demonstration is served, and followed, while Red Hand runs; start it with: redhand run")
    logs.to_stderr("sync", settings.logs)
    privileges.step_down(configuration)
    job = feed_job(configuration)
    if only_once:
        return once(job, print)
    alarms = Register(say)

    def hear(message: dict[str, Any]) -> bool:
        alarms.heard("sync", message)
        return True

    follow(job, hear)
    return 0
