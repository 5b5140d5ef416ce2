"""What operators write by hand, read: plain domain lists, hosts files, and YAML directives.

Pure: bytes in, records out, and for each record that is not taken its line and the reason. Nothing is repaired or guessed: a file in UTF-16 or a list
of another syntax comes out as bad records, and `sources` decides whether that is too many. What a name is, and which may be blocked, `names` and
the caller's judge say.

YAML is read without its surprises: every scalar is text (`no` is a language, not false), and aliases, anchors, tags, duplicate keys and deep nesting
are refused before anything is built.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import yaml

from blocklists.errors import BadName
from blocklists.guards import Match
from blocklists.names import clip, ends_in_number, key, listed, plain_key, visible

MAX_LINE = 4096
"""Octets in the longest line of a list that is looked into."""

MAX_KEPT = 1000
"""Skipped records kept with their reasons, a file; the rest is counted."""

FIRST_BAD = 3
"""Unreadable records that a refusal shows."""

MAX_DEPTH = 8
"""Nesting of YAML; a directive needs four levels."""

Path = tuple[str | int, ...]
Judge = Callable[[bytes, Match], str | None]

BOILERPLATE = frozenset(
    b"localhost localhost.localdomain localhost4 localhost4.localdomain4 localhost6 localhost6.localdomain6 local broadcasthost ip6-localhost "
    b"ip6-loopback ip6-localnet ip6-mcastprefix ip6-allnodes ip6-allrouters ip6-allhosts 0.0.0.0".split()
)
"""What hosts files hold besides the names they are kept for; skipped without a word."""

_COMMENT = re.compile(rb"(?:^|\s)#.*", re.DOTALL)
_DOCUMENT = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_UNPRINTABLE = re.compile("[^\\t\\n\\r\\x20-\\x7e\\x85\\xa0-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_CUT = "the file ends inside this line, so it may have been cut; end the last line with a newline"
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class Bad(NamedTuple):
    """A record that is not taken."""

    line: int
    value: str
    reason: str


class Names:
    """The names of a list, as far as they were taken, and what was not."""

    def __init__(self) -> None:
        self.listed: list[tuple[bytes, bool]] = []
        """Keys, with True for exact and False for subtree."""
        self.skipped: list[Bad] = []
        """The first MAX_KEPT records not taken, whatever the reason."""
        self.bad = 0
        """Records that could not be read."""
        self.first_bad: list[Bad] = []
        """The first few of them, whatever else was skipped before."""
        self.refused = 0
        """Records that could be read but may not be blocked."""
        self.cut = False
        """Whether the last record has no end of line; it is skipped."""

    @property
    def records(self) -> int:
        return len(self.listed) + self.bad + self.refused + self.cut

    def skip(self, line: int, raw: bytes, reason: str) -> None:
        if len(self.skipped) < MAX_KEPT:
            self.skipped.append(_shown(line, raw, reason))

    def spoil(self, line: int, raw: bytes, reason: str, records: int = 1) -> None:
        """Skips what could not be read, and may be too much of the list."""
        self.bad += records
        if len(self.first_bad) < FIRST_BAD:
            self.first_bad.append(_shown(line, raw, reason))
        self.skip(line, raw, reason)


def _shown(line: int, raw: bytes, reason: str) -> Bad:
    return Bad(line, visible(raw[:400].decode("utf-8", "backslashreplace")), reason)


def domains(data: bytes, judge: Judge) -> Names:
    """A plain list: one name a line, each with everything under it; `#` starts a comment; a leading `*.` is allowed and says nothing more."""
    found = Names()
    take = found.listed.append
    for line, raw in _lines(data, found):
        name = plain_key(raw)
        if name is None or ends_in_number(name):
            text = (_COMMENT.sub(b"", raw) if b"#" in raw else raw).strip().removeprefix(b"*.")
            if not text:
                continue
            name = plain_key(text)
            if name is None or ends_in_number(name):
                name = _read(found, line, text, raw)
                if name is None:
                    continue
        refusal = judge(name, "subtree")
        if refusal is None:
            take((name, False))
        else:
            found.refused += 1
            found.skip(line, raw, refusal)
    return found


def hosts(data: bytes, judge: Judge) -> Names:
    """A hosts file: an address and the names it was given, each exactly; `#` starts a comment. The addresses are checked, and not used."""
    found = Names()
    addresses: set[bytes] = set()
    for line, raw in _lines(data, found):
        fields = (_COMMENT.sub(b"", raw) if b"#" in raw else raw).split()
        if not fields:
            continue
        address, given = fields[0], fields[1:]
        if address not in addresses:
            if not _is_address(address):
                reason = "does not begin with an address; write 0.0.0.0 and the name, or set format: domains for a list of names"
                found.spoil(line, raw, reason, max(1, len(given)))
                continue
            if len(addresses) < MAX_KEPT:
                addresses.add(address)
        if not given:
            found.spoil(line, raw, "has an address and no name; write the name after it")
        for word in given:
            name = plain_key(word)
            if word.lower() in BOILERPLATE:
                continue
            if name is None or ends_in_number(name):
                name = _read(found, line, word, word)
                if name is None:
                    continue
            refusal = judge(name, "exact")
            if refusal is None:
                found.listed.append((name, True))
            else:
                found.refused += 1
                found.skip(line, word, refusal)
    return found


def _lines(data: bytes, found: Names) -> Iterator[tuple[int, bytes]]:
    """Lines without their ends, from 1; a last one that has no end is skipped, unless it says nothing."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    lines = data.split(b"\n")
    last = lines.pop()
    yield from enumerate(lines, 1)
    if last.strip() and not last.lstrip().startswith(b"#"):
        found.cut = True
        found.skip(len(lines) + 1, last, _CUT)


def _read(found: Names, line: int, text: bytes, raw: bytes) -> bytes | None:
    """The key of a name that is not plain, or None after saying what is wrong with it."""
    try:
        if len(text) > MAX_LINE:
            raise BadName(f"the line has {len(text)} octets; write one name a line")
        return key(listed(text.decode("utf-8")))
    except UnicodeDecodeError:
        reason = "is not UTF-8; save the file as UTF-8, or write the name in its xn-- form"
    except BadName as error:
        reason = str(error)
        if len(text.split()) > 1 and _is_address(text.split()[0]):
            reason = "is a line of a hosts file; set format: hosts for this source"
    found.spoil(line, raw, reason)
    return None


def _is_address(word: bytes) -> bool:
    try:
        ipaddress.ip_address(word.decode("ascii"))
    except ValueError:
        return False
    return True


class Document(NamedTuple):
    """One YAML document that is a mapping, every scalar left as text."""

    line: int
    """Where its first key stands."""
    data: dict[str, Any]
    lines: dict[Path, int]
    """Line of every value, by its path of keys and positions."""

    def line_of(self, path: Path) -> int:
        """The line of a value, or of the nearest thing around it that is there."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]


class _Refused(Exception):
    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def documents(data: bytes) -> tuple[list[Document], list[Bad]]:
    """The mappings in a file of one or several YAML documents, set apart by lines of `---`; one that cannot be read does not spoil the others."""
    found: list[Document] = []
    bad: list[Bad] = []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return [], [
            Bad(line, visible(data[error.start : error.start + 40].decode("utf-8", "backslashreplace")), "is not UTF-8; save the file as UTF-8")
        ]
    text = text.replace("\r\n", "\n")
    starts = [0, *(match.start() for match in _DOCUMENT.finditer(text) if match.start() > 0)]
    line = 1
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        chunk = text[start:end]
        try:
            document = _document(chunk, line)
            if document is not None and not chunk.endswith("\n"):
                raise _Refused(document.line, _CUT)
            if document is not None:
                found.append(document)
        except _Refused as refused:
            lines = chunk.split("\n")
            bad.append(Bad(refused.line, visible(lines[min(max(refused.line - line, 0), len(lines) - 1)]), str(refused)))
        line += chunk.count("\n")
    return found, bad


def _document(chunk: str, first: int) -> Document | None:
    """The mapping in one document that begins on line `first`; None for one that says nothing."""
    odd = _UNPRINTABLE.search(chunk)
    if odd:
        raise _Refused(first + chunk.count("\n", 0, odd.start()), f"has {odd[0]!a}, which no YAML text has; remove it")
    try:
        _check_shape(chunk, first)
        node = yaml.compose(chunk, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = min(mark.line if mark else 0, chunk.rstrip().count("\n"))  # what is missing at the end is missed on the last line that says something
        raise _Refused(first + line, f"is not YAML ({error.problem}); mend its quotes, colons or indentation") from None
    except yaml.YAMLError as error:
        raise _Refused(first, f"is not YAML ({str(error).splitlines()[0]}); mend it") from None
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
        return None
    if not isinstance(node, yaml.MappingNode):
        raise _Refused(first + node.start_mark.line, "is not a directive; write its fields as key: value")
    lines: dict[Path, int] = {}
    data = _build(node, (), first, lines)
    return Document(lines[()], data, lines)


def _check_shape(chunk: str, first: int) -> None:
    depth = 0
    for event in yaml.parse(chunk, Loader=_Loader):
        line = first + (event.start_mark.line if event.start_mark else 0)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _Refused(line, "uses a YAML anchor or alias (& or *), which a directive may not; write the value out, or put it in quotes")
        if getattr(event, "tag", None):
            raise _Refused(line, "uses a YAML tag (!), which a directive may not; remove it, or put the value in quotes")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise _Refused(line, f"is nested more than {MAX_DEPTH} deep, which no directive is; mend its brackets or indentation")


def _build(node: Any, path: Path, first: int, lines: dict[Path, int]) -> Any:
    lines[path] = first + node.start_mark.line
    if isinstance(node, yaml.MappingNode):
        built: dict[str, Any] = {}
        for name, value in node.value:
            line = first + name.start_mark.line
            if not isinstance(name, yaml.ScalarNode):
                raise _Refused(line, "has a key that is not a word; write key: value")
            if name.value in built:
                raise _Refused(line, f"gives {clip(name.value)} twice; keep one")
            built[name.value] = _build(value, (*path, name.value), first, lines)
            lines[(*path, name.value)] = line
        return built
    if isinstance(node, yaml.SequenceNode):
        return [_build(value, (*path, position), first, lines) for position, value in enumerate(node.value)]
    return node.value
