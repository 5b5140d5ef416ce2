"""List and directive files: the readers against slow twins, and what they say of everything else."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from blocklists import formats, names
from blocklists.errors import BadName
from blocklists.guards import Guards, Match

GUARDS = Guards(protected=["kept.example"])
JUDGE = GUARDS.refusal

NAME = st.sampled_from(
    [
        "a.example",
        "B.Example.",
        "café.example",
        "*.w.example",
        "com",
        "kept.example",
        "localhost",
        "192.0.2.1",
        "x_y.example",
        "-.example",
        "a..b",
        "é é",
        "||x^",
    ]
)
WORD = NAME | st.text("abc.\\-*#\u00e9 /", max_size=12)
END = st.sampled_from(["\n", "\r\n", " \t\n", " # remark\n", "\n\n"])
LIST = st.lists(st.tuples(WORD, END), max_size=12).map(lambda parts: "".join(word + end for word, end in parts))
HOSTS = st.lists(
    st.tuples(st.sampled_from(["0.0.0.0", "127.0.0.1", "::1", "fe80::1%lo0", "256.0.0.1", "name", ""]), st.lists(NAME, max_size=3), END), max_size=8
).map(lambda parts: "".join(" ".join([address, *given_names]) + end for address, given_names, end in parts))


def read_slowly(text: str) -> bytes | None:
    try:
        return names.key(names.listed(text))
    except BadName:
        return None


def slow_domains(text: str) -> tuple[list[tuple[bytes, bool]], int, int]:
    """The rules for a plain list, one statement each: names taken, bad, refused."""
    taken, bad, refused = [], 0, 0
    for line in text.split("\n"):
        if line.startswith("#"):
            continue
        name = line.split(" #")[0].split("\t#")[0].strip().removeprefix("*.")
        if not name:
            continue
        key = read_slowly(name)
        if key is None:
            bad += 1
        elif JUDGE(key, "subtree"):
            refused += 1
        else:
            taken.append((key, False))
    return taken, bad, refused


def slow_hosts(text: str) -> tuple[list[tuple[bytes, bool]], int, int]:
    taken, bad, refused = [], 0, 0
    for line in text.split("\n"):
        fields = line.split(" #")[0].split()
        if not fields:
            continue
        try:
            ipaddress.ip_address(fields[0])
        except ValueError:
            bad += max(1, len(fields) - 1)
            continue
        bad += len(fields) == 1
        for name in fields[1:]:
            if name == "localhost":
                continue
            key = read_slowly(name)
            if key is None:
                bad += 1
            elif JUDGE(key, "exact"):
                refused += 1
            else:
                taken.append((key, True))
    return taken, bad, refused


@given(LIST)
def test_a_plain_list_reads_as_its_rules_say(text: str) -> None:
    found = formats.domains(text.encode(), JUDGE)
    assert (found.listed, found.bad, found.refused) == slow_domains(text.replace("\r\n", "\n"))
    assert not found.cut
    assert len(found.skipped) == found.bad + found.refused


@given(HOSTS)
def test_a_hosts_file_reads_as_its_rules_say(text: str) -> None:
    found = formats.hosts(text.encode(), JUDGE)
    assert (found.listed, found.bad, found.refused) == slow_hosts(text.replace("\r\n", "\n"))


@pytest.mark.parametrize("reader", [formats.domains, formats.hosts])
@given(
    data=st.binary(max_size=200)
    | st.lists(st.sampled_from([b"a.example", b"\n", b"\r", b"#", b" ", b"0.0.0.0", b"\xff", b"\0", b"\xef\xbb\xbf"])).map(b"".join)
)
def test_any_bytes_give_names_or_reasons(reader: Callable[[bytes, formats.Judge], formats.Names], data: bytes) -> None:
    """Every record is either a legal name that the judge lets pass, or skipped with a line of the file, a short value and a reason."""
    found = reader(data, JUDGE)
    for key, exact in found.listed:
        assert names.listed(names.key_text(key)) == names.from_key(key)
        assert JUDGE(key, "exact" if exact else "subtree") is None
    assert found.records == len(found.listed) + found.bad + found.refused + found.cut
    for bad in found.skipped:
        assert 1 <= bad.line <= data.count(b"\n") + 1
        assert len(bad.value) <= 400
        assert bad.value.isprintable()
        assert bad.reason


@pytest.mark.parametrize(
    ("data", "line", "complaint"),
    [
        (b"# list\n\nok.example\nbad name.example\n", 4, "white space"),
        (b"\xef\xbb\xbfok.example\r\n||ads.example^\r\n", 2, "'|'"),
        (b"0.0.0.0 ads.example\n", 1, "set format: hosts"),
        (b"ok.example\nnul\0.example\n", 2, "control character"),
        (b"\xff\xfe.example\n", 1, "not UTF-8"),
        (b"x" * 100_000 + b"\n", 1, "octets"),
        (b"x" * 2000 + b"\n", 1, "2000 characters"),
        (b"ok.example\ncom\n", 2, "public suffix"),
        (b"ok.example\nkept.example\n", 2, "protected"),
        (b".\n", 1, "root"),
        (b"192.0.2.7\n", 1, "ends in a number"),
        (b"ok.example\nwww.ok.exam", 2, "may have been cut"),
    ],
)
def test_a_bad_line_of_a_list_is_located_and_explained(data: bytes, line: int, complaint: str) -> None:
    found = formats.domains(data, JUDGE)
    assert [(bad.line, complaint in bad.reason) for bad in found.skipped] == [(line, True)]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"ads.example\n", "does not begin with an address"),
        (b"0.0.0.256 ads.example\n", "does not begin with an address"),
        (b"0.0.0.0\n", "no name"),
        (b"0.0.0.0 *.ads.example\n", "'*'"),
        (b"0.0.0.0 2001:db8::1\n", "':'"),
    ],
)
def test_a_bad_line_of_a_hosts_file_is_explained(data: bytes, complaint: str) -> None:
    found = formats.hosts(data, JUDGE)
    assert found.bad == 1
    assert complaint in found.skipped[0].reason


def test_the_boilerplate_of_hosts_files_is_passed_over_in_silence() -> None:
    data = (
        b"127.0.0.1 localhost\n127.0.0.1 localhost.localdomain\n127.0.0.1 local\n255.255.255.255 broadcasthost\n"
        b"::1 localhost ip6-localhost ip6-loopback\n"
        b"fe80::1%lo0 localhost\nff00::0 ip6-localnet\nff00::0 ip6-mcastprefix\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\nff02::3 ip6-allhosts\n"
        b"0.0.0.0 0.0.0.0\n0.0.0.0 Ads.example tracker.example # both\n"
    )
    found = formats.hosts(data, JUDGE)
    assert [names.key_text(key) for key, exact in found.listed if exact] == ["ads.example", "tracker.example"]
    assert (found.records, found.skipped) == (2, [])


def test_a_last_comment_needs_no_end() -> None:
    assert not formats.domains(b"ok.example\n# the end", JUDGE).cut


def test_reasons_are_bounded_while_counts_are_not() -> None:
    found = formats.domains(b"a..b\n" * 5000, JUDGE)
    assert (found.bad, len(found.skipped)) == (5000, formats.MAX_KEPT)


def test_two_hundred_thousand_names_are_read_well_within_the_time_a_build_has() -> None:
    """Twelve seconds a million from text to index; this stage may take five, measured in CPU time and with room for a slow machine."""
    data = "".join(f"name{number}.host{number % 977}.example\n" for number in range(200_000)).encode()
    began = time.process_time()
    assert len(formats.domains(data, JUDGE).listed) == 200_000
    assert time.process_time() - began < 3


KEYS = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=6)
VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
TREES = st.dictionaries(
    KEYS, st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8), min_size=1
)


@given(st.lists(TREES, min_size=1, max_size=3))
def test_what_yaml_writes_is_read_back_as_text(trees: list[dict[str, object]]) -> None:
    def depth(tree: object) -> int:
        inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
        return 1 + max(map(depth, inner), default=0)

    text = yaml.dump_all(trees, allow_unicode=True, default_flow_style=False, Dumper=yaml.SafeDumper, explicit_start=True)
    if "&id" in text or max(map(depth, trees)) > formats.MAX_DEPTH:
        return
    found, bad = formats.documents(text.encode())
    assert bad == []
    assert [document.data for document in found] == trees


@given(st.binary(max_size=120) | st.text("ab:-[]{}&*!|>'\"#%?, \n\t.\\", max_size=80).map(str.encode))
def test_any_bytes_give_mappings_of_text_or_reasons(data: bytes) -> None:
    """Never an exception; whatever is read equals what the safe loader reads as text, and whatever is not has a line and a reason."""
    found, bad = formats.documents(data)
    for one in bad:
        assert 1 <= one.line <= data.count(b"\n") + 1
        assert one.reason
    if len(found) == 1 and not bad:
        again = [tree for tree in yaml.load_all(data.decode("utf-8-sig"), Loader=yaml.BaseLoader) if tree]
        assert [found[0].data] == again or found[0].data == {}


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("a: 1\nb: *x\n", 2, "anchor or alias"),
        ("a: &x 1\n", 1, "anchor or alias"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "tag"),
        ("a: 1\nb: 2\na: 3\n", 3, "twice"),
        ("a: 1\nb: {c: 1,\n  c: 2}\n", 3, "twice"),
        ("a: 1\n b: 2\n", 2, "not YAML"),
        ("a: [1\n", 1, "not YAML"),
        ("b: 1\na: \x07\n", 2, "no YAML text"),
        ("- a\n", 1, "write its fields"),
        ("word\n", 1, "write its fields"),
        ("? [a]\n: b\n", 1, "not a word"),
        ("a: " + "[" * 9 + "]" * 9 + "\n", 1, "deep"),
        ("%YAML 1.2\n", 1, "not YAML"),
        ("a: 1\n...\nb: 2\n", 3, "not YAML"),
        ("a: 1", 1, "may have been cut"),
    ],
)
def test_a_bad_document_is_located_explained_and_spoils_no_other(text: str, line: int, complaint: str) -> None:
    found, bad = formats.documents(text.encode())
    assert found == []
    assert [(one.line, complaint in one.reason) for one in bad] == [(line, True)], bad
    ended = text if text.endswith("\n") else text + "\n"
    if complaint != "may have been cut":
        found, bad = formats.documents(f"--- # first\nid: one\n---\n{ended}---\nid: two\n".encode())
        assert [document.data["id"] for document in found] == ["one", "two"]
        assert [document.line for document in found] == [2, 4 + ended.count("\n") + 1]
        assert [one.line for one in bad] == [3 + line]


def test_words_that_yaml_would_turn_into_something_else_stay_words() -> None:
    found, _ = formats.documents(b"no: yes\nwhen: 2026-03-01\nnumber: 012\nnothing: ~\n")
    assert found[0].data == {"no": "yes", "when": "2026-03-01", "number": "012", "nothing": "~"}


def test_every_value_knows_its_line() -> None:
    found, _ = formats.documents(b"# order\nid: x\ntargets:\n  - fqdn: a\n    match: b\n  - fqdn: c\n")
    document = found[0]
    assert document.line_of(("targets", 1, "fqdn")) == 6
    assert document.line_of(("targets", 0, "match")) == 5
    assert document.line_of(("targets", 1, "match")) == 6
    assert document.line_of(("expires_at",)) == document.line == 2


@pytest.mark.parametrize(
    "bomb",
    [
        b"a: " + b"[" * 200_000,
        b"a: " + b"{a: " * 200_000,
        b"".join(b"a%d: &x%d [*x%d, *x%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 40)),
        b"- " * 200_000,
        b"---\n" * 20_000,
    ],
)
def test_a_bomb_is_refused_at_once(bomb: bytes) -> None:
    began = time.process_time()
    found, bad = formats.documents(bomb + b"\n")
    assert found == []
    assert len(bad) <= 1
    assert time.process_time() - began < 5


def test_a_judge_may_let_everything_pass() -> None:
    def lenient(_key: bytes, _match: Match) -> None:
        return None

    assert [names.key_text(key) for key, _ in formats.domains(b"com\n", lenient).listed] == ["com"]
