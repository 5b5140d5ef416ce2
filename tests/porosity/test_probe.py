"""What a run asks and writes down; killed, it goes on; rehearsed, it sends nothing."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dns.message
import dns.name
import pytest
from typer.testing import CliRunner

from blocklists.errors import Busy, ConfigurationError
from porosity import ethics, observations, planning, probe, study
from porosity.cli import app
from porosity.journal import Journal
from porosity.plan import BadPlan
from porosity.probe import Tally
from porosity.study import Study
from porosity.transports.ways import Patience
from porosity.words import Ask, Endpoint, Name, Observation, Resolver, Vector, message
from tests.porosity import studies
from tests.resolver.servers import ENVIRONMENT, HOST, Asked, Scripted, says
from tests.tools import DEADLINE, wait_for

FAILOVER = Vector(
    "failover-later", "failover", "s", "l", "x",
    lambda name, random: [Ask(message(name.name)), Ask(message(name.name), "tcp", to="secondary", after=0.05)], needs=frozenset({"secondary"}),
)  # fmt: skip
OTHERS = Vector("other-doh", "other resolvers", "s", "l", "x", lambda name, random: [Ask(message(name.name), "doh", to="other")])


def made(directory: Path, resolvers: Sequence[Resolver], vectors: Sequence[Vector], listed: int = 6, **more: int) -> Study:
    plan, names = studies.planned(listed, vectors, resolvers, **more)
    return study.create(directory, plan, names)


def run(of: Study, vectors: Sequence[Vector] = studies.VECTORS, **more: object) -> Tally:
    permits = ethics.keep(of.plan.ethics, of.plan.resolvers, None, None)
    return asyncio.run(probe.run(of, "here", vectors, permits, patience=Patience(5.0, 2), **more))  # type: ignore[arg-type]


def rows(of: Study) -> list[Observation]:
    return sorted(observations.rows(observations.scan(of).to_table()), key=lambda each: (each.trial, each.ask))


def name_of(octets: bytes) -> str:
    return dns.message.from_wire(octets).question[0].name.to_text(omit_final_dot=True)


def test_every_trial_is_on_record_with_what_went_out_and_came_in(tmp_path: Path) -> None:
    with Scripted(says("A 192.0.2.1")) as tested, Scripted(says("A 198.51.100.1")) as control:
        of = made(
            tmp_path / "study",
            [studies.resolver("ours", "tested", HOST, tested.port), studies.resolver("one", "control", HOST, control.port)],
            studies.VECTORS,
        )
        seen: list[int] = []
        tally = run(of, seen=lambda tally: seen.append(tally.done))
        assert len(tested.seen) == len(control.seen) == of.plan.trials // 2
    found = rows(of)
    assert [each.trial for each in found] == list(range(of.plan.trials))
    for each in found:
        trial = of.plan.trial(each.trial)
        assert each.name == name_of(each.query) == name_of(each.answer) == of.names[trial.name].name.to_text(omit_final_dot=True)
        assert (each.vector, each.repeat, each.resolver) == (of.plan.vectors[trial.vector].id, trial.repeat, ("ours", "one")[trial.resolver])
        assert each.endpoint == f"{HOST}:{(tested, control)[trial.resolver].port}"
        assert str(dns.message.from_wire(each.answer).answer[0][0]) == ("192.0.2.1", "198.51.100.1")[trial.resolver]
        assert (each.ask, each.tries, each.failure) == (0, 1, "")
    assert (tally.done, tally.sent, tally.answered) == (of.plan.trials,) * 3
    assert seen[-1] == of.plan.trials
    (line,) = (of.observations("here") / probe.RUNS).read_text("utf-8").splitlines()
    said = json.loads(line)
    assert (said["plan"], said["ended"], said["answered"], said["rates"]) == (of.plan.id, "done", of.plan.trials, {HOST: None})


def test_what_is_on_record_is_not_asked_again(tmp_path: Path) -> None:
    with Scripted(says("A 192.0.2.1")) as server:
        of = made(tmp_path / "study", [studies.resolver("ours", "tested", HOST, server.port)], studies.VECTORS)
        first = range(0, of.plan.trials, 2)
        with Journal(of, "here") as journal:
            journal.append([row for trial in first for row in studies.observed(of, trial)])
        assert run(of).sent == of.plan.trials - len(first) == len(server.seen)
        assert run(of).sent == 0
    assert len(rows(of)) == of.plan.trials


def test_asks_of_a_trial_go_in_turn_and_to_whom_they_are_for(tmp_path: Path) -> None:
    """The second ask, after a while, to each secondary by TCP; one to others that have no such way is written down as not sent."""
    with Scripted(says("A 192.0.2.1")) as ours, Scripted(says("A 192.0.2.2")) as second, Scripted(says("A 192.0.2.3")) as third:
        resolvers = [
            studies.resolver("ours", "tested", HOST, ours.port),
            studies.resolver("second", "secondary", HOST, second.port),
            studies.resolver("third", "secondary", HOST, third.port),
            Resolver("far", "other", (Endpoint("udp", HOST, 1),)),
        ]
        of = made(tmp_path / "study", resolvers, [FAILOVER, OTHERS], 3, repeats=1)
        tally = run(of, [FAILOVER, OTHERS])
        assert {asked.tcp for asked in [*second.seen, *third.seen]} == {True}
        assert len(ours.seen) == len(second.seen) == len(third.seen) == of.plan.names
    found = [each for each in rows(of) if each.vector == "failover-later"]
    for first, then, last in zip(found[::3], found[1::3], found[2::3], strict=True):
        assert (first.trial, first.ask, then.ask, last.ask) == (last.trial, 0, 1, 2)
        assert {first.resolver, then.resolver, last.resolver} == {"ours"}
        assert [then.endpoint, last.endpoint] == [f"tcp://{HOST}:{second.port}", f"tcp://{HOST}:{third.port}"]
        assert first.sent_at + first.took + 50_000 <= then.sent_at
        assert then.sent_at + then.took + 50_000 <= last.sent_at
    nobody = [each for each in rows(of) if each.vector == "other-doh"]
    assert {(each.failure, each.endpoint, each.tries, each.query) for each in nobody} == {("not sent", "", 0, b"")}
    assert tally.failures == {"not sent": len(nobody)}


def test_a_dead_resolver_is_on_record_and_holds_nobody_up(tmp_path: Path) -> None:
    with Scripted(lambda asked: None) as dead, Scripted(says("A 192.0.2.1")) as alive:
        of = made(
            tmp_path / "study",
            [studies.resolver("ours", "tested", HOST, dead.port), studies.resolver("one", "control", HOST, alive.port)],
            studies.VECTORS,
        )
        permits = ethics.keep({}, of.plan.resolvers, None, None)
        asyncio.run(probe.run(of, "here", studies.VECTORS, permits, patience=Patience(0.5, 2)))
        assert max(asked.at for asked in alive.seen) < max(asked.at for asked in dead.seen)
    assert Counter((each.resolver, each.failure, each.tries) for each in rows(of)) == {
        ("ours", "timeout", 2): of.plan.trials // 2,
        ("one", "", 1): of.plan.trials // 2,
    }


def test_a_name_that_has_no_such_form_is_said_so(tmp_path: Path) -> None:
    def longer(name: Name, random: random.Random) -> list[Ask]:
        return [Ask(message(dns.name.Name((b"x" * 63,) * (4 if name.group == "listed" and name.domain == "blocked.test" else 1) + name.name.labels)))]

    vector = Vector("too-long", "name", "s", "l", "x", longer)
    with Scripted(says("A 192.0.2.1")) as server:
        of = made(tmp_path / "study", [studies.resolver("ours", "tested", HOST, server.port)], [vector], 2, repeats=1)
        assert run(of, [vector]).sent == len(server.seen) == of.plan.canaries
    assert Counter((each.failure, each.name.startswith("ok")) for each in rows(of)) == {("not sent", False): 2, ("", True): of.plan.canaries}


def test_one_writes_at_a_time_and_only_what_was_planned(tmp_path: Path) -> None:
    of = made(tmp_path / "study", [studies.resolver("ours", "tested", HOST, 1)], studies.VECTORS)
    with Journal(of, "here"), pytest.raises(Busy):
        run(of)
    with pytest.raises(BadPlan, match="type-https"):
        run(of, studies.VECTORS[:2])


def test_who_vouches_is_a_file_of_certificates(tmp_path: Path) -> None:
    of = made(tmp_path / "study", [studies.resolver("ours", "tested", HOST, 1)], studies.VECTORS)
    (tmp_path / "empty").write_text("")
    for ca in (tmp_path / "missing.pem", tmp_path / "empty"):
        with pytest.raises(ConfigurationError, match=r"PEM file"):
            run(of, ca=ca)


def test_a_rehearsal_says_it_all_and_sends_nothing(tmp_path: Path) -> None:
    with Scripted(says("A 192.0.2.1")) as server:
        listed = tmp_path / "names.txt"
        listed.write_text("one.test\ntwo.test\n")
        options = [
            "--resolver",
            f"ours={HOST}:{server.port}",
            "--canary",
            "ok.example",
            "--vectors",
            "type-https",
            "--repeats",
            "2",
            "--neighbours",
            "0",
        ]
        command = ["probe", str(listed), *options, "--rate", "3", "--dry-run"]
        said = CliRunner().invoke(app, command)
        assert said.exit_code == 0, said.output
        assert HOST in said.output
        assert "IN HTTPS" in said.output
        told = json.loads(CliRunner().invoke(app, [*command, "--json"]).output)
        assert not server.seen
        assert os.listdir(tmp_path) == ["names.txt"], "and it leaves nothing behind"
        of = planning.make(
            tmp_path / "study", planning.Wishes([str(listed)], ["ok.example"], [f"ours={HOST}"], vectors=["type-https"], repeats=2, neighbours=0), 0
        ).study
        assert f"Of {of.plan.trials:,} trials 0 are on record" in said.output
        planned = json.loads(CliRunner().invoke(app, ["probe", str(of.directory), "--dry-run", "--json"]).output)
    (asked,) = told["servers"]
    assert asked["questions"] == planned["servers"][0]["questions"] == of.plan.trials
    assert (asked["permit"]["rate"], asked["permit"]["by"]) == (3, "loopback")
    assert {each["vector"] for each in told["first"]} == {"type-https"}
    assert of.vantages() == []


def test_killed_at_any_moment_it_goes_on(tmp_path: Path) -> None:
    """Killed -9 twice by chance, the same command again ends the study: each trial on record once, asked again only if it was not."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    listed = tmp_path / "names.txt"
    listed.write_text("".join(f"n{number}.test\n" for number in range(150)))

    def script(asked: Asked) -> None:
        asked.send(asked.answer("A 192.0.2.1") if asked.message.question[0].rdtype == 1 else asked.answer())

    with Scripted(script) as server:
        command = [
            sys.executable, "-m", "redhand", "porosity", "probe", str(listed), "--resolver", f"ours={HOST}:{server.port}", "--control",
            f"one={HOST}:{server.port}", "--canary", "ok.example", "--vectors", "type-a", "--vectors", "type-aaaa", "--repeats", "1",
            "--neighbours", "0", "--rate", "1200",
        ]  # fmt: skip
        for _ in range(2):
            process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            _wait_for_questions(server, len(server.seen) + chance.randrange(1, 250), process)
            process.send_signal(signal.SIGKILL)
            process.wait(DEADLINE)
        of = study.open(tmp_path / "names.study")
        kept = {each.trial: each for each in rows(of)}
        assert len(kept) < of.plan.trials, "it was killed before it was through"
        before = len(server.seen)
        said = subprocess.run([*command, "--json"], env=ENVIRONMENT, capture_output=True, timeout=120, check=True)
        told = json.loads(said.stdout)
        asked = len(server.seen) - before
    found = rows(of)
    assert [(each.trial, each.ask) for each in found] == [(trial, 0) for trial in range(of.plan.trials)]
    assert all(name_of(each.query) == name_of(each.answer) == each.name for each in found)
    assert all(found[trial] == each for trial, each in kept.items()), "what was on record stayed as it was"
    assert asked == told["sent"] == of.plan.trials - len(kept)
    runs = [json.loads(line) for line in (of.observations("local") / probe.RUNS).read_text("utf-8").splitlines()]
    assert [each["ended"] for each in runs] == ["done"]


def _wait_for_questions(server: Scripted, number: int, process: subprocess.Popen[bytes]) -> None:
    wait_for(lambda: len(server.seen) >= number or process.poll() is not None, "questions of the run", 60)


def test_stopped_it_says_so_and_keeps_what_came(tmp_path: Path) -> None:
    with Scripted(says("A 192.0.2.1")) as server:
        of = made(tmp_path / "study", [studies.resolver("ours", "tested", HOST, server.port)], [studies.vector("A")], 400)
        permits = ethics.keep({}, of.plan.resolvers, None, 200)

        async def whole() -> None:
            running = asyncio.create_task(probe.run(of, "here", [studies.vector("A")], permits))
            while len(server.seen) < 40:
                await asyncio.sleep(0.005)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

        asyncio.run(whole())
        answered = len(server.seen)
    found = rows(of)
    assert 0 < len(found) <= answered < of.plan.trials
    assert len({each.trial for each in found}) == len(found)
    (line,) = (of.observations("here") / probe.RUNS).read_text("utf-8").splitlines()
    assert json.loads(line)["ended"] == "stopped"


def _raises(name: Name) -> list[Ask]:
    raise ZeroDivisionError("by chance")


def _forever(name: Name) -> Iterator[Ask]:
    while True:
        yield Ask(message(name.name))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (_raises, "fails for n3.blocked.test.: ZeroDivisionError: by chance"),
        (_forever, "more than 2,000 times"),
        (lambda name: [Ask(bytes(70_000), "tcp")], "cannot be sent"),
        (lambda name: [Ask(message(name.name), after=float("nan"))], "cannot be sent"),
        (lambda name: ["a question"], "cannot be sent"),
    ],
    ids=["raises", "forever", "too long", "no number", "no ask"],
)
def test_a_vector_of_one_s_own_that_fails_for_one_name_ends_the_run_with_its_name(tmp_path: Path, given: Any, says: str) -> None:
    """And not with a traceback, or never; what came until then stays, and is gone on with."""

    def asks(name: Name, random: random.Random) -> Any:
        return given(name) if name.name.labels[0] == b"n3" else [Ask(message(name.name))]

    vector = Vector("own-kind", "name", "s", "l", "x", asks)
    with Scripted(lambda asked: asked.send(asked.answer("A 192.0.2.1"))) as server:
        of = made(tmp_path / "study", [studies.resolver("ours", "tested", HOST, server.port)], [vector], 5, repeats=1)
        with pytest.raises(BadPlan, match="own-kind") as refused:
            run(of, [vector])
        assert says in str(refused.value)
        mended = Vector("own-kind", "name", "s", "l", "x", lambda name, random: [Ask(message(name.name))])
        assert run(of, [mended]).done == of.plan.trials
    assert [each.trial for each in rows(of)] == list(range(of.plan.trials))
