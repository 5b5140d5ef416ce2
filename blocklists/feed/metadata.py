"""What a mirror's metadata (TUF, by python-tuf) says: which targets the authority vouches for now, fetched and verified.

The root file the operator was given is where trust begins, at every poll. What is on disk from earlier polls is worked on in a copy: nothing of this
poll is kept before everything that comes with it, the log included, was verified, so that a fault found later leaves no trace to recover from.
Freshness is judged by agreed time (blocklists.agreed), not by a clock that somebody may have set.

Departures from python-tuf's own client: it makes no symbolic link (which a confined process may not), and no temporary file outside the copy.
"""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    ExpiredMetadataError,
    RepositoryError,
)
from tuf.api.metadata import Metadata, Root, Signed, TargetFile, Targets, Timestamp
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from blocklists import durable
from blocklists.errors import BadDocument, ConfigurationError
from blocklists.feed.faults import Away, Expired, Fault, Forked, Frozen, Refused, RolledBack
from blocklists.feed.fetch import Client
from blocklists.names import clip

DIRECTORY = "metadata"
"""Of what is believed, below the trust directory."""
CHECKPOINT = "checkpoint"
POLICY, PROTECTED, SUFFIXES = "policy.json", "protected.json", "suffixes.dat"
TARGETS = {CHECKPOINT: 4096, POLICY: 4 << 20, PROTECTED: 4 << 20, SUFFIXES: 4 << 20}
"""The targets, by fixed names, and how many octets each may have."""

_ROOT_OCTETS, _TIMESTAMP_OCTETS, _SNAPSHOT_OCTETS, _TARGETS_OCTETS = 512_000, 16_384, 65_536, 512_000
_OFFLINE = ("root", "targets")
_ONLINE = ("/timestamp.json", "/snapshot.json", "/checkpoint.json")
_CONTACT = "tell the authority, by the contact its policy names; it is tried again by itself"


@dataclass(frozen=True)
class Pin:
    """A state of the log that somebody signed offline."""

    by: str
    """root or targets."""
    size: int
    root: bytes


@dataclass(frozen=True)
class Announced:
    """What one mirror gave, all signatures verified, nothing kept yet."""

    version: int
    """Of the timestamp role: higher is newer."""
    origin: str
    """Of the log, as root says it."""
    demonstration: bool
    pins: tuple[Pin, ...]
    offline: tuple[dict[str, Any], dict[str, Any]]
    """What is signed in root and in targets, for `trust.lint`."""
    targets: dict[str, bytes]
    """Content by name, each of TARGETS."""
    offline_changed: bool
    """Whether root or targets are others than those kept."""
    files: dict[str, bytes]
    """What of the metadata is to be kept when all is believed: content by path below the trust directory."""


class _Carried(DownloadError):
    """One of our faults on its way through python-tuf."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class _Fetcher(FetcherInterface):
    """Our client, as python-tuf wants it; what it fetched under a name is remembered for one poll."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.timestamp = b""
        """The bytes a mirror gave as timestamp."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        raise NotImplementedError("download_file is used instead: it knows the bound")

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        try:
            data = self._client.get(url, max_length)
        except Away as fault:
            if fault.status == 404:
                raise DownloadHTTPError(str(fault), 404) from fault
            raise _Carried(fault) from fault
        except Fault as fault:
            raise _Carried(fault) from fault
        if url.endswith("/timestamp.json"):
            self.timestamp = data
        yield io.BytesIO(data)


class _Updater(Updater):
    """One poll of python-tuf's client."""

    def at(self, now: int) -> None:
        """Judge freshness as of this time."""
        self._trusted_set.reference_time = datetime.fromtimestamp(now, UTC)

    def signed(self) -> tuple[Root, Timestamp, Targets]:
        """What is trusted after `refresh`."""
        trusted = self._trusted_set
        return trusted.root, trusted.timestamp, trusted.targets

    def _update_root_symlink(self) -> None:
        """Nothing: nobody here reads the link."""


def poll(url: str, trust: Path, bootstrap: bytes, client: Client, now: int) -> Announced:
    """What the mirror at `url` announces at `now` (agreed time, unix seconds). Raises Fault, and DiskError. In `trust` only `trying` changes."""
    trying = trust / "trying"
    with durable.explained(f"preparing {trying}"):
        shutil.rmtree(trying, ignore_errors=True)
        if (trust / DIRECTORY).exists():
            shutil.copytree(trust / DIRECTORY, trying / DIRECTORY)
        else:
            (trying / DIRECTORY).mkdir(parents=True)
    fetcher = _Fetcher(client)
    # The library's errors do not all derive from its own: odd input makes it raise what Python does.
    with durable.explained(f"writing {trying}"), _translated(url, trust, fetcher):
        updater = _Updater(
            str(trying / DIRECTORY),
            f"{url}metadata/",
            str(trying),
            f"{url}targets/",
            fetcher,
            UpdaterConfig(
                root_max_length=_ROOT_OCTETS,
                timestamp_max_length=_TIMESTAMP_OCTETS,
                snapshot_max_length=_SNAPSHOT_OCTETS,
                targets_max_length=_TARGETS_OCTETS,
                max_delegations=4,
            ),
            bootstrap=bootstrap,
        )
        updater.at(now)
        updater.refresh()
        root, timestamp, targets = updater.signed()
        _same_timestamp(url, root, timestamp, fetcher.timestamp)
        found = {name: _target(url, updater, name, trust, trying) for name in TARGETS}
        origin, demonstration, _ = _ours(root, "root")
        offline = root.to_dict(), targets.to_dict()
        pins = tuple(_ours(signed, signed.type)[2] for signed in (root, targets))
    files = _changed(trust, trying)
    changed = any(not name.endswith(_ONLINE) for name in files)
    return Announced(timestamp.version, origin, demonstration, pins, offline, found, changed, files)


def root_file(path: str) -> bytes:
    """The root file the operator was given. Raises ConfigurationError for one that cannot be read or is not signed by its own keys."""
    try:
        data = Path(path).read_bytes()
        root = Metadata[Root].from_bytes(data)
        root.signed.verify_delegate("root", root.signed_bytes, root.signatures)
    except (OSError, RepositoryError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else _words(error)
        raise ConfigurationError(
            f"feed.root: {path} is no root file that could be used ({why}); get root.json from the authority again, and compare its "
            "SHA-256 with the one the authority has published elsewhere"
        ) from None
    return data


def _target(url: str, updater: _Updater, name: str, trust: Path, trying: Path) -> bytes:
    """The target's content: ours if it is the one vouched for, else the mirror's."""
    info: TargetFile | None = updater.get_targetinfo(name)
    if info is None:
        raise Refused(f"{url} vouches for no target {name}", _CONTACT)
    if info.length > TARGETS[name]:
        raise Refused(f"{url} announces {info.length} octets of {name}, and {TARGETS[name]} are allowed", _CONTACT)
    kept = updater.find_cached_target(info, str(trust / name))
    if kept is None:
        kept = updater.download_target(info, str(trying / quote(name, "")))
    return Path(kept).read_bytes()


def _same_timestamp(url: str, root: Root, ours: Timestamp, data: bytes) -> None:
    """Raises Forked when what the mirror gave is another timestamp of the version that is trusted, signed as well: python-tuf ignores it."""
    given = Metadata[Timestamp].from_bytes(data)
    if given.signed.version == ours.version and given.signed != ours:
        root.verify_delegate("timestamp", given.signed_bytes, given.signatures)
        raise Forked(
            f"{url} gives another timestamp {ours.version} than the one we have, and both are signed: the authority's online keys say two things",
            _CONTACT,
        )


def _ours(signed: Signed, role: str) -> tuple[str, bool, Pin]:
    """The field `redhand` of what was signed offline: origin (root's), whether it is a demonstration (root's), the pinned state of the log."""
    field: Any = signed.unrecognized_fields.get("redhand")
    try:
        pinned = field["pinned"]
        pin = Pin(role, pinned["size"], base64.b64decode(pinned["root"], validate=True))
        origin, demonstration = field.get("origin", ""), field.get("demonstration", False)
        if not (isinstance(pin.size, int) and pin.size >= 0 and len(pin.root) == 32 and isinstance(origin, str) and isinstance(demonstration, bool)):
            raise ValueError("a value is of the wrong kind")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Refused(f"the feed's {role} role has no sound field redhand ({clip(repr(error))})", _CONTACT) from None
    return origin, demonstration, pin


def _changed(trust: Path, trying: Path) -> dict[str, bytes]:
    """Content by path below the trust directory of what differs from what is kept there."""
    found = {}
    for path in sorted((trying / DIRECTORY).rglob("*.json")):
        where = path.relative_to(trying)
        data = path.read_bytes()
        kept = trust / where
        if not kept.exists() or kept.read_bytes() != data:
            found[str(where)] = data
    return found


def _earlier(trust: Path, given: bytes) -> int:
    """The version of the timestamp that was given, if it is one that is earlier than ours; 0 otherwise."""
    try:
        ours = Metadata[Timestamp].from_file(str(trust / DIRECTORY / "timestamp.json")).signed.version
        version = Metadata[Timestamp].from_bytes(given).signed.version
    except Exception:  # whatever it is, it is no earlier timestamp
        return 0
    return version if version < ours else 0


@contextmanager
def _translated(url: str, trust: Path, fetcher: _Fetcher) -> Iterator[None]:
    try:
        yield
    except (Fault, OSError):
        raise
    except _Carried as carried:
        raise carried.fault from None
    except DownloadHTTPError as error:
        raise Away(str(error.__cause__.what if isinstance(error.__cause__, Fault) else error), "the mirror is incomplete: " + _CONTACT, 404) from None
    except ExpiredMetadataError as error:
        if any(role in str(error) for role in _OFFLINE):
            raise Expired(
                f"{url}: {_words(error)}: what the authority signs offline has run out",
                "the authority must hold a signing session; " + _CONTACT,
            ) from None
        raise Frozen(
            f"{url}: {_words(error)}: what it gives out is no longer vouched for as the newest",
            "the mirror has stopped, or the authority no longer signs: name another mirror in feed.urls, and " + _CONTACT,
        ) from None
    except BadVersionNumberError as error:
        raise RolledBack(
            f"{url} gives what is older than what we believed before ({_words(error)})",
            "the mirror was put back to an older state, or somebody withholds news: name another mirror in feed.urls, and " + _CONTACT,
            _earlier(trust, fetcher.timestamp),
        ) from None
    except BadDocument as error:
        raise Refused(f"{url}: {error}", _CONTACT) from None
    except DownloadError as error:
        raise Refused(f"{url} gives what does not verify ({_words(error)})", _CONTACT) from None
    except (RepositoryError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(f"{url} gives metadata that does not verify ({_words(error)})", _CONTACT) from None


def _words(error: Exception) -> str:
    return clip(str(error) or type(error).__name__, 200)
