"""Deletion takes two persons and destroys the key; a hold stands in its way; time alone deletes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from authority.desk.errors import BadField, Conflict, Forbidden
from authority.desk.evidence import keeping, shredding, sweeping
from authority.desk.evidence.keeping import Gone
from authority.desk.roles import CLOCK, SETUP
from authority.desk.tables import Event, Evidence, Proposal
from tests.authority.desk.evidence.house import DAY, MARK, NOW, ONE, OTHER, House, sha256

LATER = NOW + 200 * DAY
"""After the retention of what is kept at NOW."""


def due(home: House, now: int = LATER) -> list[int]:
    with home.desk.store.reading() as session:
        return [each.evidence.id for each in shredding.due(session, home.desk.procedure(session), now)]


def test_what_two_persons_shredded_nobody_reads_again_and_a_tombstone_says_so(anywhere: House) -> None:
    kept, other = anywhere.add(MARK, label="a page"), anywhere.add(b"other")
    proposal = shredding.propose(anywhere.desk, anywhere.officer, [kept.id], "kept by mistake", NOW, early=True)
    assert anywhere.text(kept.id) == MARK, "one person deletes nothing"
    anywhere.confirm(proposal, anywhere.reviewer, NOW + 60)
    with pytest.raises(Gone, match="was shredded"):
        anywhere.text(kept.id)
    left = anywhere.row(kept.id)
    assert left.wrapped is None
    assert (left.label, left.size, left.commitment, left.stored_by) == ("a page", len(MARK), kept.commitment, "clerk")
    assert (left.shredded_at, left.proposal_id) == (NOW + 60, proposal.id)
    with anywhere.desk.store.reading() as session:
        assert kept.id in [row.id for row in keeping.of_case(session, anywhere.clerk, ONE)]
        event = session.query(Event).filter_by(step="shred_evidence").one()
        assert (event.who, event.why, event.details) == ("reviewer", "kept by mistake", {"evidence": kept.id, "proposal": proposal.id})
    (line,) = anywhere.audited("evidence.shred")
    assert json.loads(line.details) == {"case": ONE, "proposal": proposal.id}
    assert sweeping.remove_shredded(anywhere.desk, NOW + 90) == 1
    assert [each.address for each in anywhere.desk.vault.objects.every()] == [other.address]
    assert anywhere.row(kept.id).removed_at == NOW + 90
    assert anywhere.text(other.id) == b"other"


def test_the_destroyed_key_is_nowhere_in_the_database_files(home: House, tmp_path: Path) -> None:
    kept = home.add(MARK)
    wrapped = home.row(kept.id).wrapped
    assert wrapped is not None

    def stolen() -> bytes:
        return b"".join(path.read_bytes() for path in (tmp_path / "authority" / "desk").glob("desk.db*"))

    assert wrapped in stolen()
    home.shredded(kept.id)
    sweeping.sweep(home.desk, NOW)
    assert wrapped not in stolen()
    assert wrapped[20:] not in stolen()
    assert sha256(MARK).encode() not in stolen()


def test_nobody_confirms_what_they_proposed(home: House) -> None:
    kept = home.add()
    proposal = shredding.propose(home.desk, home.officer, [kept.id], "why", NOW, early=True)
    with pytest.raises(Forbidden, match="another person"):
        home.confirm(proposal, home.officer)
    for actor in (home.second, home.clerk, home.auditor, home.administrator, SETUP, CLOCK):
        with pytest.raises(Forbidden):
            home.confirm(proposal, actor)
    with home.desk.store.writing() as session, pytest.raises(Forbidden, match="another person"):
        shredding.shred(session, home.desk, proposal, home.officer, NOW)
    assert home.text(kept.id)
    with home.desk.store.reading() as session:
        assert session.get_one(Proposal, proposal.id).decided_at is None


def test_who_may_not_delete_proposes_nothing(home: House) -> None:
    kept = home.add()
    for actor in (home.clerk, home.auditor, home.administrator, SETUP, CLOCK):
        with pytest.raises(Forbidden):
            shredding.propose(home.desk, actor, [kept.id], "why", NOW, early=True)
    with home.desk.store.reading() as session:
        assert session.query(Proposal).count() == 0


def test_what_is_still_to_be_kept_goes_only_when_it_is_said_to_be_early_and_why(home: House) -> None:
    kept = home.add()
    with pytest.raises(Conflict, match="still to be kept"):
        shredding.propose(home.desk, home.officer, [kept.id], "why", NOW)
    with pytest.raises(BadField, match="why"):
        shredding.propose(home.desk, home.officer, [kept.id], "  ", NOW, early=True)
    home.case(state="restored")
    with pytest.raises(Conflict, match="still to be kept"):
        shredding.propose(home.desk, home.officer, [kept.id], "why", NOW)
    assert shredding.propose(home.desk, home.officer, [kept.id], "retention ended", LATER).body == {"evidence": [kept.id], "early": False}


def test_a_hold_stands_in_the_way_of_a_proposal_and_of_its_confirmation(home: House) -> None:
    kept, other = home.add(), home.add()
    keeping.hold(home.desk, home.reviewer, kept.id, "Court of Example", NOW)
    with pytest.raises(Conflict, match="Court of Example"):
        shredding.propose(home.desk, home.officer, [kept.id], "why", NOW, early=True)
    proposal = shredding.propose(home.desk, home.officer, [other.id], "why", NOW, early=True)
    keeping.hold(home.desk, home.reviewer, other.id, "Court of Example", NOW)
    with pytest.raises(Conflict, match="held"):
        home.confirm(proposal, home.reviewer)
    assert home.text(other.id)


def test_of_several_all_are_shredded_or_none(home: House) -> None:
    kept = [home.add() for _ in range(3)]
    proposal = shredding.propose(home.desk, home.officer, [each.id for each in kept], "why", NOW, early=True)
    keeping.hold(home.desk, home.reviewer, kept[2].id, "Court of Example", NOW)
    with pytest.raises(Conflict):
        home.confirm(proposal, home.reviewer)
    assert all(home.text(each.id) for each in kept)
    assert home.audited("evidence.shred") == []


def test_a_hold_ends_by_two_persons_and_only_the_one_that_they_saw(home: House) -> None:
    kept = home.add()
    with pytest.raises(Conflict, match="not held"):
        shredding.propose_release(home.desk, home.officer, kept.id, "why", NOW)
    keeping.hold(home.desk, home.reviewer, kept.id, "Court of Example", NOW)
    proposal = shredding.propose_release(home.desk, home.officer, kept.id, "the court has decided", NOW)
    with pytest.raises(Conflict, match="already"):
        shredding.propose_release(home.desk, home.second, kept.id, "why", NOW)
    with pytest.raises(Forbidden):
        home.confirm(proposal, home.officer)
    assert home.row(kept.id).hold
    home.change(kept.id, hold="another court")
    with pytest.raises(Conflict, match="not held for what"):
        home.confirm(proposal, home.reviewer)
    home.change(kept.id, hold="Court of Example")
    home.confirm(proposal, home.reviewer)
    assert home.row(kept.id).hold == ""
    assert len(home.audited("evidence.release")) == 1


def test_a_case_that_was_reopened_keeps_what_was_proposed_as_due(home: House) -> None:
    kept = home.add()
    home.case(state="dismissed")
    proposal = shredding.propose(home.desk, home.officer, [kept.id], "retention ended", LATER)
    home.case(state="assessed")
    with pytest.raises(Conflict, match="still to be kept"):
        home.confirm(proposal, home.reviewer, LATER)
    assert home.text(kept.id)


def test_a_proposal_that_nobody_confirmed_in_time_stands_in_no_other_ones_way(home: House) -> None:
    kept = home.add()
    shredding.propose(home.desk, home.officer, [kept.id], "why", NOW, early=True)
    again = shredding.propose(home.desk, home.second, [kept.id], "why", NOW + 31 * DAY, early=True)
    home.confirm(again, home.reviewer, NOW + 32 * DAY)
    assert home.row(kept.id).proposal_id == again.id


def test_the_same_is_proposed_and_shredded_once(home: House) -> None:
    kept = home.add()
    proposal = shredding.propose(home.desk, home.officer, [kept.id, kept.id], "why", NOW, early=True)
    with pytest.raises(Conflict, match=f"proposal {proposal.id}"):
        shredding.propose(home.desk, home.second, [kept.id], "why", NOW, early=True)
    home.confirm(proposal, home.reviewer)
    with pytest.raises(Gone):
        shredding.propose(home.desk, home.officer, [kept.id], "why", NOW, early=True)
    for act in (keeping.hold, lambda desk, actor, number, why, now: keeping.extend(desk, actor, number, LATER, why, now)):
        with pytest.raises(Gone):
            act(home.desk, home.officer, kept.id, "why", NOW)


# --- retention


def test_time_alone_deletes_nothing_and_says_what_is_due(home: House) -> None:
    closed, standing, held, longer, fresh = home.add(), home.add(number=OTHER), home.add(), home.add(), home.add(now=LATER)
    keeping.hold(home.desk, home.officer, held.id, "Court of Example", NOW)
    keeping.extend(home.desk, home.officer, longer.id, LATER + DAY, "the inquiry goes on", NOW)
    assert due(home) == [], "no case is closed"
    home.case(state="restored")
    home.case(OTHER, state="in_force")
    assert due(home, NOW) == []
    assert due(home) == [closed.id]
    home.case(appeals=1)
    assert due(home) == [], "an appeal may need it"
    home.case(appeals=0)
    sweeping.sweep(home.desk, LATER)
    assert all(home.text(each.id) for each in (closed, standing, held, longer, fresh))
    proposal = shredding.propose_due(home.desk, home.officer, "retention ended", LATER)
    assert proposal is not None
    assert proposal.body["evidence"] == [closed.id]
    assert home.text(closed.id), "what is proposed is not deleted"
    assert due(home) == []
    assert shredding.propose_due(home.desk, home.officer, "retention ended", LATER) is None
    home.confirm(proposal, home.reviewer, LATER)
    assert home.row(closed.id).shredded_at == LATER


def test_the_categorys_days_count_when_it_was_found_after_evidence_was_kept(home: House) -> None:
    kept = home.add()
    home.procedure("clocks: {assess: {begins: [refer], hours: 24}}\ncategories: {terrorism: {retain_days: 400}}\n")
    home.case(state="restored")
    assert due(home) == []
    assert due(home, NOW + 401 * DAY) == [kept.id]


def test_content_of_a_case_found_to_be_of_a_category_that_forbids_it_is_due_at_once(home: House) -> None:
    kept = home.add()
    seen = keeping.observe(home.desk, home.clerk, ONE, keeping.Observation(location="https://site.example/", seen_at=NOW), "seen", "why", NOW)
    home.case(category="abuse")
    assert due(home, NOW + 1) == [kept.id]
    home.confirm(shredding.propose(home.desk, home.officer, [kept.id], "unlawful to have", NOW), home.reviewer)
    assert due(home, NOW + 1) == []
    assert home.text(seen.id)


def test_what_is_due_is_found_among_much_that_is_not(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shredding, "PIECE", 3)
    kept = [home.add().id for _ in range(10)]
    home.procedure("clocks: {assess: {begins: [refer], hours: 24}}\ncategories: {terrorism: {retain_days: 190}}\n")
    with home.desk.store.writing() as session:
        for row in session.query(Evidence).filter(Evidence.id.in_(kept[:8])):
            row.stored_at += 100 * DAY  # in time by the row, and not by the category
    home.case(state="restored")
    assert due(home) == kept[8:]


def test_too_many_in_one_proposal_are_refused(home: House) -> None:
    for wanted in ([], list(range(1, 502))):
        with pytest.raises(BadField, match="1 to 500"):
            shredding.propose(home.desk, home.officer, wanted, "why", NOW, early=True)
