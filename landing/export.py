"""Writes the set of pages of one version as files, with an nginx configuration that serves them as the landing page would (`landing.nginx`).

A set says what is so at one moment: it tells until when (the next time an order begins or ends, or its reasons become public), and is to be written
anew then and whenever another version is in force. Files are named by their contents and never changed, so that a set can be replaced under a
running nginx; those that neither this set nor the one before has are removed. What a browser may not see is not in it: entries of the log are not.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from blocklists import durable, names, store, ulabels, version
from blocklists.errors import FeedError, RedHandError
from blocklists.index import FOREVER, Rule
from blocklists.proving import prove
from landing import ground, nginx, verdict
from landing.kinds import small
from landing.look import Look
from landing.page import HTML, Page, Pages
from landing.prover import may_be_shown
from landing.settings import LandingSettings
from landing.texts import LANGUAGES
from landing.told import told
from landing.verdict import Order

CONFIGURATION = "redhand-landing.conf"
MANIFEST = "redhand-landing.json"

MOST_NAMES = 200_000
MOST_PAGES = 5_000
"""Groups of orders that share a page; each is twelve files."""
MOST_PROOFS = 500
"""Beyond, no proof is exported, and no page speaks of one: each reads the whole log."""

_NOT_TO_STAND_IN_A_CONFIGURATION = set('"\\$;{}\r\n')


class BadExport(RedHandError):
    """What was asked for cannot be exported; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. `until`: unix seconds at which the set begins to be wrong; None when nothing known changes it."""

    serial: int
    names: int
    left_out: int
    """Listed names with characters that no browser sends, which the configuration cannot choose by."""
    pages: int
    proofs: int
    unproved: bool
    """Whether there were too many proofs to make."""
    until: int | None


@dataclass(frozen=True, slots=True)
class _Row:
    """What speaks for a listed name (`name`), or for whatever is below it (`*.name`); no rules: nothing does, though something may for its parent."""

    form: str
    key: bytes
    rules: list[Rule]

    @property
    def whose(self) -> str:
        """The listed name, where all rules speak by the same one and it is written as in the DNS; else empty, and the page has them in its text."""
        whose = {rule.key for rule in self.rules}
        text = names.key_text(next(iter(whose))) if len(whose) == 1 else ""
        return "" if "xn--" in text else text

    def group(self, proofs: set[str]) -> tuple[object, ...]:
        """Equal for those who have the same page."""
        if self.whose:
            return (self.whose in proofs, *(rule.number for rule in self.rules))
        return tuple((rule.number, rule.key) for rule in self.rules)


_IN_A_HOST = set("abcdefghijklmnopqrstuvwxyz0123456789-._")


def _rows(found: store.Version, now: int) -> tuple[list[_Row], int]:
    """All rows, and how many listed names cannot have any. A name that is passed has one, to be told from what is around it."""
    keys: set[bytes] = set()
    for _, marked in store.entries_of(found):
        keys.update(version.unmark(text)[0] for text in marked)
        if len(keys) > MOST_NAMES:
            raise BadExport(f"more than {MOST_NAMES:,} names are listed, which is more than nginx should choose by; keep the landing page itself")
    rows = []
    left_out = 0
    for key in sorted(keys):
        text = names.key_text(key)
        if set(text) <= _IN_A_HOST:
            rows.append(_Row(text, key, verdict.speaking(found.index, key, now)))
            rows.append(_Row(f"*.{text}", key, verdict.speaking(found.index, key + b"\x01\xff", now)))
        else:
            left_out += 1
    return rows, left_out


def export(settings: LandingSettings, state_dir: Path, folder: Path, now: int, tell: Callable[[str], None] = lambda _: None) -> Exported:
    """Writes the set of the version in force at `now` (agreed, unix seconds) to a directory, which is made if it is not there.

    `tell` hears how far it is. Raises StoreError without a version, BadExport, and DiskError when the disk refuses (the configuration is written
    last, so that one which was there still finds its files).
    """
    folder = folder.resolve()
    if set(str(folder)) & _NOT_TO_STAND_IN_A_CONFIGURATION:
        raise BadExport(f"the path {folder} has a character that nginx reads as its own; choose another directory")
    found = store.open_current(state_dir)
    found.verify()
    rows, left_out = _rows(found, now)
    ordered = sorted({row.form for row in rows if any(rule.kind == "directive" and rule.key == row.key for rule in row.rules) and row.form[0] != "*"})
    with durable.explained(f"exporting the page to {folder}", "the set before is still whole"):
        folder.mkdir(parents=True, exist_ok=True)
        before = _read_manifest(folder)
        files = _Files(folder)
        proofs = set() if len(ordered) > MOST_PROOFS else _proofs(state_dir, ordered, files, now, tell)
        groups = {row.group(proofs): row for row in rows if row.rules}
        if len(groups) > MOST_PAGES:
            raise BadExport(
                f"{len(groups):,} groups of orders have a page each, more than the {MOST_PAGES:,} that are exported; keep the landing page itself"
            )
        pages = Pages(settings.operator, settings.operator_url, Look.of(settings), settings.own_url, settings.language)
        policy = ground.load(state_dir, found, None)
        identifiers: dict[tuple[object, ...], str] = {}
        ends = [found.index.next_boundary(now)]
        for group, row in groups.items():
            orders = [
                replace(
                    order,
                    listed=_LISTED if row.whose else order.listed,
                    proof="none" if order.proof == "given" and order.listed not in proofs else order.proof,
                )
                for order in told(found, row.rules, policy, now)
            ]
            ends += [int(order.limited_until.timestamp()) for order in orders if order.limited_until]
            identifiers[group] = _write_page(files, pages, orders)
            if len(identifiers) % 100 == 0:
                tell(f"{len(identifiers):,} of {len(groups):,} pages")
        _write_others(files, pages)
        choice = nginx.Choice(
            folder=str(folder),
            token="redhand-" + hashlib.sha256("".join(sorted(files.written)).encode()).hexdigest()[:16],
            listen=settings.listen,
            names=_needed({row.form: identifiers[row.group(proofs)] if row.rules else "" for row in rows}),
            listed=_needed({row.form: row.whose for row in rows}),
            unicode_names=_unicode(row.form for row in rows if row.form[0] != "*"),
            languages=LANGUAGES,
            language=settings.language,
            operator_url=settings.operator_url,
            policy=pages.security_policy,
        )
        until = min(ends)
        done = Exported(
            serial=found.serial,
            names=len(rows) // 2,
            left_out=left_out,
            pages=len(groups),
            proofs=len(proofs),
            unproved=len(ordered) > MOST_PROOFS,
            until=until if until < FOREVER else None,
        )
        os.sync()
        durable.replace(folder / CONFIGURATION, nginx.configuration(choice, _comment(done, now)).encode())
        manifest = {"serial": found.serial, "identity": found.identity, "as_of": now, "until": done.until, "files": sorted(files.written)}
        durable.replace(folder / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
        files.remove_all_but(files.written | set(before.get("files", ())))
    return done


def _comment(done: Exported, now: int) -> str:
    until = f"It is wrong from {_moment(done.until)} on" if done.until else "Nothing known ends it"
    return (
        f"The red hand page for the {done.names} names of version {done.serial}, as of {_moment(now)}. {until}:\n"
        "write it anew then, and whenever another version is in force, with: redhand landing export DIR && nginx -s reload\n"
        "Include this file in the http block of nginx.conf. Aliases of listed names get the page of unknown names here."
    )


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _needed(chosen: dict[str, str]) -> dict[str, str]:
    """The map without rows that say what the row above them, `*.parent`, or no row at all says."""
    found = {}
    for form, page in chosen.items():
        _, _, parent = form.removeprefix("*.").partition(".")
        while parent and f"*.{parent}" not in chosen:
            _, _, parent = parent.partition(".")
        if page != (chosen[f"*.{parent}"] if parent else ""):
            found[form] = page
    return found


def _unicode(listed: Iterable[str]) -> dict[str, str]:
    return {name: shown for name in listed if (shown := ulabels.in_unicode(name))}


class _Files:
    """The set's files, under names that say what is in them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.written: set[str] = set()

    def write(self, name: str, data: bytes) -> None:
        """Writes a file unless it is there with these octets."""
        path = self._folder / name
        self.written.add(name)
        try:
            if path.read_bytes() == data:
                return
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
        # Not flushed one by one: thousands would take minutes. All are, before the configuration names them (`export`).
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_bytes(data)
        temporary.replace(path)

    def remove_all_but(self, kept: set[str]) -> None:
        """Removes what earlier sets had, and nobody needs."""
        for part in ("pages", "proofs"):
            for path in (self._folder / part).rglob("*"):
                if path.is_file() and str(path.relative_to(self._folder)) not in kept:
                    path.unlink()


def _write_page(files: _Files, pages: Pages, orders: list[Order]) -> str:
    """Writes one page in each language and form; its identifier, which begins with its status."""
    status = 403 if all(order.own for order in orders) else 451
    bodies = [
        (form, language, _included(pages.blocked(orders, False, language, form == "json"))) for language in LANGUAGES for form in ("html", "json")
    ]
    identifier = f"{status}-{hashlib.sha256(b''.join(body for _, _, body in bodies)).hexdigest()[:16]}"
    for form, language, body in bodies:
        files.write(f"pages/{status}/{form}/{identifier}.{language}", body)
    return identifier


_LISTED = f"listed-{secrets.token_hex(16)}.invalid"
"""Stands for the listed name in a page that many share."""


def _included(page: Page) -> bytes:
    """A page with server-side includes in its places. In JSON a text of an order could hold what looks like one: its < is written another way."""
    parts = page.parts if page.content_type == HTML else tuple(part.replace(b"<!--#", b"\\u003c!--#") for part in page.parts)
    return replace(page, parts=parts).filled(nginx.TITLE, nginx.PEOPLE, nginx.TITLE).replace(_LISTED.encode(), nginx.LISTED)


def _write_others(files: _Files, pages: Pages) -> None:
    for status, kinds in ((404, ("unknown", "unproved")), (400, ("bad",))):
        for kind in kinds:
            for language in LANGUAGES:
                for form, as_json in (("html", False), ("json", True)):
                    files.write(f"pages/{status}/{form}/{kind}.{language}", pages.plain(kind, status, language, as_json).filled(b"", b"", b""))
    for status in (451, 403):
        for kind, file in nginx.SMALL_FILES.items():
            files.write(f"pages/{status}/small/{file}", small(kind, status)[1])


def _proofs(state_dir: Path, ordered: list[str], files: _Files, now: int, tell: Callable[[str], None]) -> set[str]:
    """Writes the proof about each name that may have one; the names that do."""
    found = set()
    if (state_dir / "trust" / "checkpoint").exists():
        for number, name in enumerate(ordered):
            try:
                made = prove(state_dir, name, full=False)
            except FeedError:
                continue
            if may_be_shown((each.entry for each in made.entries), name, now):
                files.write(f"proofs/{name}.json", made.encode())
                found.add(name)
            if number % 20 == 19:
                tell(f"{number + 1:,} of {len(ordered):,} proofs")
    return found


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
