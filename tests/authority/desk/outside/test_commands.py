"""The desk by its commands: founded, served, a case from a referral to an order in force, backed up, brought back, its audit log checked."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from authority import packets
from authority.desk.desk import Desk
from authority.desk.errors import DeskError
from authority.desk.serve import require_ready
from authority.desk.settings import DeskSettings
from authority.desk.tables import Audit
from tests.authority.desk.outside.running import Keeper
from tests.tools import wait_for

FACTS = """\
legal_basis: Law 1
reasons: {en: It calls for terror.}
redress: {url: https://authority.example/appeal, deadline_days: 60, court: Court of Appeal}
"""


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Keeper:
    made = Keeper(tmp_path_factory.mktemp("keeper"), int(time.time()) - 60)
    made.init()
    return made


def test_nothing_is_served_before_there_is_anybody(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, int(time.time()) - 60)
    assert "redhand desk init" in keeper.refused()
    assert "redhand desk init" in keeper.run("case", "list", "--as", "officer", status=1)
    assert "two administrators" in keeper.run("init", "--example").lower()
    (tmp_path / "people.yaml").write_text("people: [{login: x, name: X, roles: [king]}]")
    assert "people.0.roles" in keeper.run("init", "people.yaml", status=1)
    keeper.run("upgrade")
    with pytest.raises(DeskError, match="redhand desk init"):
        require_ready(DeskSettings(), tmp_path)


def test_the_first_people_come_by_both_halves_of_a_code_and_only_once(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, int(time.time()) - 60)
    made = keeper.init()
    assert set(made["codes"]) == {"admin-1", "admin-2", "auditor", "officer", "reviewer"}
    assert "there are people already" in keeper.run("init", "people.yaml", status=1)
    with keeper.serving() as served:
        code = made["codes"]["officer"]
        password = "a long enough sentence of mine"
        form = {"login": "officer", "first": code["first"], "second": code["second"], "password": password, "again": password}
        assert served.http.post("/invitation", data=form).status_code == 303
        assert served.http.post("/sign-in", data={"login": "officer", "password": password}).headers["location"] == "/"
        assert served.http.get("/cases").status_code == 200
        began = time.monotonic()
        assert served.stop() == 0
        assert time.monotonic() - began < 8


def test_whichever_process_dies_is_started_again_and_none_is_left_behind(keeper: Keeper) -> None:
    with keeper.serving() as served:
        for module in ("worker", "server"):
            before = served.child(module)
            os.kill(before, signal.SIGKILL)
            wait_for(lambda module=module, before=before: (served._child(module) or before) != before, f"another {module}")  # type: ignore[misc]
        # The socket is the parent's: who asks meanwhile is answered by the next.
        assert served.http.get("/sign-in").status_code == 200
        assert "is started again" in served.log.read_text()
        # And they end with who started them, whatever ended that.
        children = [served.child(module) for module in ("worker", "server")]
        served.process.kill()
        served.process.wait()
        for child in children:
            wait_for(lambda child=child: not _runs(child), "the child ends")  # type: ignore[misc]


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_case_goes_from_a_referral_to_an_order_in_force(keeper: Keeper) -> None:
    (keeper.directory / "facts.yaml").write_text(FACTS)
    said = keeper.run("refer", "https://www.terror.test/call", "--words", "A call to murder", "--as", "officer")
    (number,) = re.findall(r"case (\S+) \(opened\)", said)
    assert "(joined)" in keeper.run("refer", "www.terror.test", "--as", "officer")
    keeper.run("case", "step", number, "assess", "-d", "category=terrorism", "-d", "finding=It is.", "--why", "seen", "--as", "officer")
    keeper.run("case", "step", number, "owner_unidentifiable", "--why", "nobody answers", "--as", "officer")
    assert "the step 'fly' has no form" in keeper.run("case", "step", number, "fly", "--why", "x", "--as", "officer", status=1)
    assert "has changed" in keeper.run("case", "step", number, "note", "--why", "x", "--as", "officer", "--version", 1, status=1)
    keeper.run("case", "facts", number, "facts.yaml", "--why", "as found", "--as", "officer")
    said = keeper.run("order", "draft", number, "block", "--why", "as assessed", "--as", "officer")
    digest = re.findall(r"sha256:[0-9a-f]{64}", said)[0]
    assert "2 missing" in said
    keeper.run("order", "signing", digest, "--why", "two must sign", "--as", "officer")
    path = keeper.directory / "order.packet.json"
    keeper.run("packet", "out", digest, "-o", path, "--as", "officer")
    signed = keeper.cast.sign(packets.read(path.read_bytes(), "the packet"), "north-1", "north-2")
    path.write_bytes(signed.encode())
    assert "complete" in keeper.run("packet", "in", path, "--as", "officer")
    assert "www.terror.test" in keeper.run("order", "show", digest, "--as", "auditor")
    assert "is published" in keeper.run("publish", digest, "--why", "all have signed", "--as", "officer")
    shown = json.loads(keeper.run("case", "show", number, "--as", "auditor", "--json"))
    assert (shown["state"], shown["orders"][0]["digest"]) == ("in_force", digest)
    assert f"order     block {shown['order_id']}, log position" in keeper.run("case", "show", number, "--as", "auditor")
    assert number in keeper.run("case", "list", "--queue", "in_force", "--as", "auditor")
    assert "may not do this" in keeper.run("case", "show", number, "--as", "admin-1", status=1)
    assert "nobody here has the login" in keeper.run("case", "show", number, "--as", "nobody", status=1)


def test_a_file_is_imported_with_its_bad_lines_by_number(keeper: Keeper) -> None:
    (keeper.directory / "list.csv").write_text("names,words,key\nlisted-1.test,one,k1\nbad..name,two,k2\nlisted-2.test,three,k3\n")
    said = keeper.run("import", "list.csv", "--as", "officer", status=1)
    assert "2 cases opened, 0 joined, 0 sent before, 1 lines not taken" in said
    assert "line 3:" in said


def test_people_and_tokens(keeper: Keeper) -> None:
    assert "officer  north-1  clerk, officer, office north-1" in keeper.run("person", "list", "--as", "auditor")
    said = keeper.run("person", "propose", "g.hill", "--name", "G. Hill", "--role", "clerk", "--why", "joins", "--as", "admin-1")
    assert "one of administrator confirms it" in said
    assert "first half of g.hill's code" in said
    token = keeper.token("officer")
    assert token.startswith("rhd_")
    listed = keeper.run("token", "list", "--as", "officer")
    keeper.run("token", "end", listed.split()[0], "--as", "officer")
    assert keeper.run("token", "list", "--as", "officer") == ""


def test_everything_is_said_as_json_too(keeper: Keeper) -> None:
    """What the API answers, so that one reader is enough for both."""

    def asked(*words: object) -> Any:
        return json.loads(keeper.run(*words, "--json"))

    taken = asked("refer", "json.test", "--words", "seen", "--why", "told by mail", "--as", "officer")
    number = taken["case"]
    assert asked("case", "search", taken["reference"], "--as", "officer")[0]["case"]["number"] == number
    forms = {each["step"]: each for each in asked("case", "steps", number, "--as", "officer")["forms"]}
    (category, finding) = forms["assess"]["fields"]
    assert ("terrorism" in [each["value"] for each in category["choices"]], finding["kind"]) == (True, "text")
    details = ("-d", "category=terrorism", "-d", "finding=It is.")
    case = asked("case", "step", number, "assess", *details, "--why", "seen", "--as", "officer")
    assert (case["state"], case["officer"]) == ("assessed", None)
    case = asked("case", "show", number, "--as", "auditor")
    assert [each["step"] for each in case["events"]] == ["refer", "assess"]
    assert case["events"][0]["why"] == "told by mail"
    assert (case["referrals"][0]["reference"], [each["state"] for each in case["times"]]) == (taken["reference"], ["received", "assessed"])
    assert asked("case", "queues", "--as", "auditor")["assessed"] >= 1
    for command in ("review orders", "review recommendations", "review emergencies", "appeal list", "report list", "compliance fleet"):
        asked(*command.split(), "--as", "auditor")
    asked("compliance", "scoreboard", "--as", "auditor")
    assert len(asked("compliance", "weeks", "--as", "auditor")) == 13
    assert "no operator nobody" in keeper.run("compliance", "penalty", "nobody", "--as", "auditor", status=1)
    assert keeper.run("compliance", "export", "--form", "csv", "--as", "auditor").startswith("operator,order")
    assert "take one of" in keeper.run("compliance", "operator", "nobody", "--show", "x", "--as", "auditor", status=1)
    assert "no case here made it" in keeper.run("report", "show", "XX-1", "--as", "auditor", status=1)
    assert asked("audit", "verify")["faults"] == []


def test_two_persons_decide_by_their_tokens_and_no_login_does(keeper: Keeper) -> None:
    """A document from one person's file to another's yes, and what it was before."""
    assert "begins with" in keeper.run("document", "list", "--as", "officer")
    (keeper.directory / "popular.txt").write_text("many.test\nvisit.test\n")
    made = json.loads(keeper.run("document", "propose", "popular", "popular.txt", "--why", "the list of May", "--as", "admin-1", "--json"))
    number = made["proposal"]["id"]
    assert made["proposal"]["confirmers"] == ["officer", "reviewer"]
    assert "+many.test" in keeper.run("proposal", "show", number, "--as", "officer")
    assert keeper.run("proposal", "show", number, "--text", "--as", "officer") == "many.test\nvisit.test\n"
    assert "you may decide" in keeper.run("proposal", "list", "--as", "officer")
    (keeper.directory / "admin.token").write_text(keeper.token("admin-2"))
    (keeper.directory / "officer.token").write_text(keeper.token("officer"))
    assert "may not agree" in keeper.run("proposal", "decide", number, "confirm", "--token", "admin.token", status=1)
    (keeper.directory / "no.token").write_text("rhd_nobodys")
    assert "no token that holds" in keeper.run("proposal", "decide", number, "confirm", "--token", "no.token", status=1)
    assert "confirmed" in keeper.run("proposal", "decide", number, "confirm", "--token", "officer.token")
    assert keeper.run("document", "show", "popular", "--as", "auditor") == "many.test\nvisit.test\n"
    (version,) = json.loads(keeper.run("document", "versions", "popular", "--as", "auditor", "--json"))["versions"]
    assert (version["number"], version["proposal_id"]) == (1, number)
    lines = json.loads(keeper.run("audit", "list", "--of", f"proposal:{number}", "--as", "auditor", "--json"))["lines"]
    assert [(each["who"], each["action"]) for each in lines] == [("officer", "proposal.confirmed"), ("admin-1", "proposal.make")]
    assert [each["details"]["way"].partition(",")[0] for each in lines] == ["command", "command"]


def test_a_person_is_looked_at_and_what_is_proposed_about_them(keeper: Keeper) -> None:
    keeper.run("proposal", "make", "grant", "-f", "login=auditor", "-f", "role=auditor", "--why", "x", "--as", "admin-1", status=1)
    said = keeper.run("proposal", "make", "end_person", "-f", "login=officer", "--why", "goes", "--as", "admin-1")
    assert "confirms it at" in said
    assert "end_person, by admin-1: goes" in keeper.run("person", "show", "officer", "--as", "auditor")
    assert "may not see accounts" in keeper.run("person", "show", "auditor", "--as", "officer", status=1)
    assert "north-1" in keeper.run("person", "show", "officer", "--as", "officer")
    assert "language fr" in keeper.run("person", "change", "--language", "fr", "--as", "officer")
    assert "take en or fr" in keeper.run("person", "change", "--language", "de", "--as", "officer", status=1)
    assert "north-1  officer  north-1" in keeper.run("person", "offices", "--as", "auditor")
    (keeper.directory / "admin.token").write_text(keeper.token("admin-1"))
    number = re.findall(r"proposal (\d+):", said)[0]
    keeper.run("proposal", "decide", number, "refuse", "--reason", "stays", "--token", "admin.token")


def test_each_command_as_somebody_is_in_the_audit_log_as_a_command(keeper: Keeper) -> None:
    keeper.run("evidence", "due", "--as", "reviewer")
    desk = Desk(DeskSettings(), keeper.directory)
    with desk.store.reading() as session:
        line = session.query(Audit).order_by(Audit.number.desc()).first()
    desk.close()
    assert line is not None
    assert (line.who, line.action, line.object) == ("setup", "command", "person:reviewer")
    assert "evidence due" in line.details


def test_a_backup_comes_back_and_the_audit_log_holds(keeper: Keeper) -> None:
    before = keeper.run("audit", "verify")
    assert "0 faults" in before
    assert "0 faults" in keeper.run("evidence", "verify")
    keeper.run("backup", "one.backup")
    assert "exists" in keeper.run("backup", "one.backup", status=1)
    assert "has tables already" in keeper.run("restore", "one.backup", status=1)
    (keeper.directory / "config.yaml").write_text(json.dumps({"desk": {"database": f"sqlite:///{keeper.directory}/other.db"}}))
    assert "restored" in keeper.run("restore", "one.backup")
    assert "0 faults" in keeper.run("audit", "verify")
    assert "in_force" in keeper.run("case", "list", "--as", "officer")
