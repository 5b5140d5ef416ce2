"""Sources: real files, whole and torn, and what becomes of them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blocklists import names, places, sources
from blocklists.directive import canonical, load
from blocklists.errors import BadName, SourceError
from blocklists.guards import Guards
from blocklists.settings import FileSource
from blocklists.sources import Content, read

NOW = 1_800_000_000
GUARDS = Guards(own=["landing.example"], protected=["kept.example"])
SAMPLES = sorted(Path(sources.__file__).with_name("sample").glob("*.yaml"))
ORDER = SAMPLES[0].read_text("utf-8")
Format = Literal["directives", "domains", "hosts"]


def take(path: Path, form: Format, share: float = 0.05, action: Literal["block", "pass"] = "block", as_of: int = NOW) -> Content:
    return read(FileSource(id="mine", path=str(path), format=form, action=action), path, GUARDS, share, as_of)


def put(directory: Path, content: str | bytes, name: str = "list.txt") -> Path:
    path = directory / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def shown(content: Content) -> list[tuple[str, bool]]:
    return [(names.key_text(key), exact) for basis in content.bases for key, exact in basis.listed]


def order(identity: str, *fqdns: str, match: str = "subtree", **fields: Any) -> str:
    """A YAML order after the sample, with its own id and names; a field given as None is left out."""
    document = yaml.load(ORDER, Loader=yaml.BaseLoader) | {"id": identity, "targets": [{"fqdn": fqdn, "match": match} for fqdn in fqdns], **fields}
    return "---\n" + yaml.safe_dump({name: value for name, value in document.items() if value is not None}, allow_unicode=True)


def digest_of(text: str) -> str:
    return load(yaml.load(text, Loader=yaml.BaseLoader)).digest()


def follow(identity: str, action: str, previous: str, **fields: Any) -> str:
    blank = dict.fromkeys(("targets", "expires_at", "effective_at"))
    return order(identity, **{**blank, "action": action, "follows": digest_of(previous), **fields})


def test_a_plain_list_lists_subtrees_and_says_what_it_is(tmp_path: Path) -> None:
    text = "# mine\nads.example\n*.Track.example. # with all below\ncafé.example\n"
    content = take(put(tmp_path, text), "domains")
    assert shown(content) == [("ads.example", False), ("track.example", False), ("xn--caf-dma.example", False)]
    (basis,) = content.bases
    assert (basis.kind, basis.mode, basis.reference, basis.starts, basis.ends, basis.layer) == ("own", "redirect", "mine", 0, 0, "local")
    assert basis.document == {"source": "mine", "layer": "local", "list": "block", "format": "domains"}
    assert (content.records, content.skipped, content.withdrawn) == (3, [], ())
    assert content.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_hosts_file_lists_exact_names(tmp_path: Path) -> None:
    content = take(put(tmp_path, "127.0.0.1 localhost\n0.0.0.0 ads.example www.ads.example\n"), "hosts")
    assert shown(content) == [("ads.example", True), ("www.ads.example", True)]


def test_a_pass_list_is_not_judged_by_the_guards_of_blocks(tmp_path: Path) -> None:
    content = take(put(tmp_path, "kept.example\nlanding.example\ncom\n"), "domains", action="pass")
    assert [basis.kind for basis in content.bases] == ["pass"]
    assert len(shown(content)) == 3
    assert take(put(tmp_path, "ok.example\n" * 99 + ".\n"), "domains", action="pass").skipped[0].line == 100


def test_bad_records_are_skipped_up_to_the_share_and_then_refuse_the_source(tmp_path: Path) -> None:
    path = put(tmp_path, "".join(f"n{number}.example\n" for number in range(95)) + "bad name\n" * 5)
    content = take(path, "domains")
    assert (content.records, len(shown(content)), len(content.skipped)) == (100, 95, 5)
    assert (content.skipped[0].where, content.skipped[0].line, content.skipped[0].value) == ("list.txt", 96, "bad name")
    with pytest.raises(
        SourceError, match=r"mine: .*list\.txt: 5 of its 100 records are bad.*max_bad_share.*list\.txt line 96: 'bad name': .*white space"
    ):
        take(path, "domains", share=0.049)


def test_what_the_guards_refuse_is_skipped_without_counting_as_bad(tmp_path: Path) -> None:
    content = take(put(tmp_path, "com\nkept.example\nx.landing.example\nads.example\n"), "domains", share=0.0)
    assert shown(content) == [("ads.example", False)]
    assert [skipped.line for skipped in content.skipped] == [1, 2, 3]


def test_more_skipped_records_than_are_kept_are_counted(tmp_path: Path) -> None:
    content = take(put(tmp_path, "com\n" * 1500 + "ads.example\n"), "domains")
    assert len(content.skipped) == 1001
    assert content.skipped[-1].reason.startswith("500 more records")


@pytest.mark.parametrize("content", [b"", b"\n \n"])
@pytest.mark.parametrize("form", ["domains", "hosts", "directives"])
def test_an_empty_file_is_refused_and_a_comment_is_not(tmp_path: Path, content: bytes, form: Format) -> None:
    with pytest.raises(SourceError, match="is empty; if you mean to unlist everything leave one comment line"):
        take(put(tmp_path, content), form)
    unlisted = take(put(tmp_path, b"# nothing any more\n"), form)
    assert (unlisted.bases, unlisted.skipped, unlisted.records) == ([], [], 0)


def test_a_cut_last_line_is_skipped_and_alone_refuses_the_source(tmp_path: Path) -> None:
    content = take(put(tmp_path, "one.example\ntwo.example"), "domains")
    assert shown(content) == [("one.example", False)]
    assert "cut" in content.skipped[0].reason
    with pytest.raises(SourceError, match="may have been cut"):
        take(put(tmp_path, "two.exam"), "domains")
    with pytest.raises(SourceError, match="may have been cut"):
        take(put(tmp_path, ORDER.rstrip("\n"), "order.yaml"), "directives")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(1, 10_000), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=3))
def test_a_torn_or_flipped_list_gives_legible_names_or_a_refusal(tmp_path: Path, length: int, flips: list[tuple[int, int]]) -> None:
    """Nothing is listed that no whole line of the file says."""
    data = bytearray("".join(f"name{number}.example\n" for number in range(300)).encode()[:length])
    for position, value in flips:
        data[position % len(data)] = value
    path = put(tmp_path, bytes(data))
    try:
        content = take(path, "domains")
    except SourceError:
        return
    said = [line.split(b"#")[0].strip().removeprefix(b"*.").decode("utf-8", "replace") for line in bytes(data).split(b"\n")[:-1]]
    listed = {key for basis in content.bases for key, _ in basis.listed}
    assert listed <= {_key(text) for text in said}


def _key(text: str) -> bytes | None:
    try:
        return names.key(names.listed(text))
    except BadName:
        return None


def test_the_sample_shows_what_a_transcription_holds() -> None:
    path = SAMPLES[0].parent
    content = read(FileSource(id="sample", path=str(path), format="directives"), path, Guards(), 0.0, NOW)
    assert shown(content) == [("blocked.redhand.example", False), ("exact.redhand.example", True)]
    assert [basis.reference for basis in content.bases] == ["FR-2026-000123", "FR-2026-000124"]
    for basis in content.bases:
        assert basis.starts <= NOW < basis.ends
        assert {"fr", "en"} == set(basis.document["reasons"])
        assert basis.document["legal_basis"]
        assert basis.document["redress"]["url"].startswith("https://")
    assert all(len(path.read_text("utf-8").splitlines()) <= 40 for path in SAMPLES)


def test_relative_paths_start_at_the_base(tmp_path: Path) -> None:
    assert places.locate(FileSource(id="x", path="lists/a.txt", format="domains"), tmp_path) == tmp_path / "lists/a.txt"
    assert places.locate(FileSource(id="x", path="/lists/a.txt", format="domains"), tmp_path) == Path("/lists/a.txt")


def test_a_directive_gives_its_terms_without_targets_and_can_be_written_as_canonical_json(tmp_path: Path) -> None:
    text = order("XX-1", "a.example", "b.example")
    (basis,) = take(put(tmp_path, text, "order.yaml"), "directives").bases
    assert (basis.kind, basis.reference, len(basis.listed)) == ("directive", "XX-1", 2)
    assert "targets" not in basis.document
    assert (basis.document["source"], basis.document["layer"], basis.document["verified"]) == ("mine", "local", False)
    assert basis.document["digest"] == digest_of(text)
    assert json.loads(canonical(basis.document)) == basis.document


def test_a_directory_is_read_in_the_order_of_names_and_its_digest_covers_names_and_bytes(tmp_path: Path) -> None:
    put(tmp_path, order("XX-2", "b.example"), "b.yaml")
    put(tmp_path, order("XX-1", "a.example"), "a.yml")
    put(tmp_path, "not an order", "README.txt")
    put(tmp_path, "not: [one", ".hidden.yaml")
    content = take(tmp_path, "directives")
    assert [basis.reference for basis in content.bases] == ["XX-1", "XX-2"]
    (tmp_path / "b.yaml").rename(tmp_path / "c.yaml")
    renamed = take(tmp_path, "directives")
    assert renamed.bases == content.bases
    assert renamed.sha256 != content.sha256


def test_a_bad_order_is_skipped_with_its_place_and_the_others_apply(tmp_path: Path) -> None:
    put(tmp_path, "# kept by hand\n" + order("XX-1", "a.example") + order("XX-2", "b.example", expires_at=None), "orders.yaml")
    content = take(tmp_path, "directives", share=0.0)
    assert [basis.reference for basis in content.bases] == ["XX-1"]
    (skipped,) = content.skipped
    lines = (tmp_path / "orders.yaml").read_text("utf-8").splitlines()
    assert lines[skipped.line - 2] == "---"
    assert (skipped.where, skipped.value) == ("orders.yaml", "XX-2")
    assert skipped.reason.startswith("expires_at: is missing")


def test_a_source_of_orders_refused_whole_still_lifts(tmp_path: Path) -> None:
    lift = follow("XX-9", "withdraw", order("XX-9", "lifted.example"))
    bad = order("XX-2", "b.example", expires_at=None) + order("XX-3", "c.example", expires_at=None)
    put(tmp_path, lift + bad, "orders.yaml")
    with pytest.raises(SourceError, match="2 of its") as refusal:
        take(tmp_path, "directives", share=0.4)
    assert refusal.value.withdrawn == ("XX-9",)


def test_a_fault_inside_an_order_is_on_its_own_line(tmp_path: Path) -> None:
    path = put(tmp_path, ORDER.replace("match: subtree", "match: below") + order("XX-2", "b.example"), "order.yaml")
    (skipped,) = take(path, "directives", share=0.5).skipped
    assert path.read_text("utf-8").splitlines()[skipped.line - 1].strip() == "match: below"
    assert skipped.reason.startswith("targets.0.match: 'below'")


def test_a_target_that_the_guards_refuse_is_skipped_and_the_others_apply(tmp_path: Path) -> None:
    path = put(tmp_path, order("XX-1", "a.example", "kept.example", "b.example"), "order.yaml")
    content = take(path, "directives", share=0.0)
    assert shown(content) == [("a.example", False), ("b.example", False)]
    (skipped,) = content.skipped
    assert path.read_text("utf-8").splitlines()[skipped.line - 1].endswith("fqdn: kept.example")
    assert "protected" in skipped.reason
    put(tmp_path, order("XX-1", "kept.example"), "order.yaml")
    assert take(path, "directives").bases == []


def test_amendments_suspensions_and_withdrawals_in_one_directory(tmp_path: Path) -> None:
    first = order("XX-1", "a.example", "b.example")
    put(tmp_path, first, "1.yaml")
    narrowed = {"targets": [{"fqdn": "a.example", "match": "exact"}], "effective_at": "2027-02-01T00:00:00Z", "expires_at": "2099-01-01T00:00:00Z"}
    put(tmp_path, follow("XX-1", "amend", first, **narrowed), "2.yaml")
    put(tmp_path, follow("XX-1", "suspend", first, effective_at="2027-03-01T00:00:00Z"), "3.yaml")
    content = take(tmp_path, "directives")
    assert [(len(basis.listed), basis.ends - basis.starts > 0) for basis in content.bases] == [(2, True), (1, True), (1, True)]
    assert [one.ends == other.starts for one, other in zip(content.bases, content.bases[1:], strict=False)] == [True, False]
    put(tmp_path, follow("XX-1", "withdraw", first), "4.yaml")
    content = take(tmp_path, "directives")
    assert (content.bases, content.withdrawn, content.skipped) == ([], ("XX-1",), [])


def test_a_second_use_of_an_id_is_skipped_and_said(tmp_path: Path) -> None:
    put(tmp_path, order("XX-1", "a.example"), "1.yaml")
    put(tmp_path, order("XX-1", "b.example"), "2.yaml")
    content = take(tmp_path, "directives", share=0.0)
    assert shown(content) == [("a.example", False)]
    assert (content.skipped[0].where, content.skipped[0].value) == ("2.yaml", "XX-1")


def test_an_expired_order_is_not_in_the_content(tmp_path: Path) -> None:
    path = put(tmp_path, order("XX-1", "a.example", expires_at="2027-06-01T00:00:00Z"), "1.yaml")
    assert take(path, "directives", as_of=NOW).bases
    assert take(path, "directives", as_of=NOW + 31_536_000).bases == []


def test_what_is_no_plain_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="not a plain file"):
        take(tmp_path / "pipe", "domains")
    with pytest.raises(SourceError, match="is a directory"):
        take(tmp_path, "domains")
    with pytest.raises(SourceError, match=r"holds no \.yaml file"):
        take(tmp_path, "directives")
    with pytest.raises(SourceError, match="cannot be read"):
        take(tmp_path / "missing", "hosts")
    with pytest.raises(SourceError, match="cannot pass"):
        take(tmp_path, "directives", action="pass")


def test_a_file_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = put(tmp_path, "id: x\n", "large.yaml")
    os.truncate(path, sources.MAX_DIRECTIVE_BYTES + 1)
    with pytest.raises(SourceError, match="split it"):
        take(path, "directives")


def test_a_file_that_is_not_what_it_was_when_it_was_opened_is_refused() -> None:
    """The kernel's own files give more bytes than their size says, as one that grows while it is read."""
    with pytest.raises(SourceError, match="changed while it was read"):
        take(Path("/proc/self/status"), "domains")


def test_the_stamp_changes_with_the_source_and_never_raises(tmp_path: Path) -> None:
    missing = places.stamp(tmp_path / "orders")
    (tmp_path / "orders").mkdir()
    empty = places.stamp(tmp_path / "orders")
    path = put(tmp_path / "orders", ORDER, "a.yaml")
    one = places.stamp(tmp_path / "orders")
    assert one == places.stamp(tmp_path / "orders")
    path.write_text(ORDER + "# more\n", "utf-8")
    longer = places.stamp(tmp_path / "orders")
    replacement = put(tmp_path, ORDER + "# more\n", "new")
    os.utime(replacement, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    replacement.replace(path)
    assert len({missing, empty, one, longer, places.stamp(tmp_path / "orders")}) == 5


@pytest.mark.parametrize(("form", "bad", "good"), [("domains", "||ads^", "n{}.example"), ("hosts", "ads.example", "0.0.0.0 n{}.example")])
def test_a_refusal_shows_what_is_bad_and_not_what_is_only_refused(form: Format, bad: str, good: str, tmp_path: Path) -> None:
    protected = good.format("").replace("n.example", "kept.example")
    text = f"{protected}\n" * 5 + "".join(good.format(number) + "\n" for number in range(5)) + f"{bad}\n" * 5
    with pytest.raises(SourceError) as caught:
        take(put(tmp_path, text), form)
    _, _, first = str(caught.value).partition("First: ")
    assert [part.partition(":")[0] for part in first.split("list.txt ")[1:]] == ["line 11", "line 12", "line 13"]
