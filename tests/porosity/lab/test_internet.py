"""The lab as an internet in a box, which only root can have: hosts of their own, what reached them, no way out, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from porosity.lab import dnstap, run, score
from porosity.lab.internet import Internet
from porosity.lab.scenario import Scenario, parse
from porosity.lab.spaces import PROGRAMS
from porosity.study import Study
from tests.tools import require, require_root, wait_for

SEED = 5
SCENARIO = {
    "about": "Red Hand and one that leaks, beside public resolvers; hosts of their own.",
    "form": "internet",
    "names": {"apex": 1, "deep": 0, "exact": 0, "signed": 1, "bogus": 1, "canaries": 1, "neighbours": 0},
    "vectors": ["type-a", "type-https", "name-random", "transport", "other-dot", "other-doh", "dnssec-bogus"],
    "resolvers": {
        "red-hand": {"role": "tested", "program": "red-hand", "feed": True},
        "leaky": {"role": "tested", "block": "landing", "leaks": ["type-65"]},
        "public": {"role": "other", "program": "unbound", "transports": ["udp", "dot", "doh"]},
        "open": {"role": "control", "program": "unbound"},
        "open-too": {"role": "control"},
    },
}
SMALL = {"form": "internet", "resolvers": {"leaky": {"role": "tested"}, "open": {"role": "control"}, "open-too": {"role": "control"}}}


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    require_root()
    for program in (*PROGRAMS, "nsd", "unbound", "nginx", "curl", "dig"):
        require(program)
    print(f"seed {SEED}")
    return parse(SCENARIO, "box")


@pytest.fixture(scope="module")
def lab(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Internet, Study]]:
    with pytest.MonkeyPatch.context() as moved:
        moved.chdir(tmp_path_factory.mktemp("internet"))
        study = Path("study")  # as people type it, while its servers run elsewhere
        with Internet(scenario, SEED, study / "lab") as found:
            planned = found.plan(study)
            found.probe(study)
            yield found, planned.study


def _page(lab: Internet, name: str) -> str:
    return lab.client.run("curl", "-s", "-m", "10", "-w", "%{http_code}", f"http://{name}/")


def test_clients_reach_sites_by_name_and_the_page_where_a_name_is_blocked(lab: tuple[Internet, Study]) -> None:
    box = lab[0]
    canary, ordered = box.world.canaries[0], box.world.orders[0].name
    assert _page(box, canary) == f"This is {canary}, a site of the lab.\n200"
    page = _page(box, ordered)
    assert page.endswith("451")
    assert "Lab Act 2026" in page


def test_what_reached_the_servers_is_known_with_who_asked(lab: tuple[Internet, Study]) -> None:
    box, _ = lab
    recursor = box.servers["open"].resolver.endpoints[0].address
    found = dnstap.read(box.directory / dnstap.REACHED)
    assert {(each.server, each.asker) for each in found} >= {(server, recursor) for server in ("root", "tld", "names")}
    assert {each.transport for each in found} <= {"udp", "tcp"}


def test_nothing_leads_out(lab: tuple[Internet, Study]) -> None:
    for family in ("-4", "-6"):
        assert "default" not in lab[0].client.run("ip", family, "route", "show")


def test_red_hand_leaks_at_nothing_and_what_is_planted_is_found(scenario: Scenario, lab: tuple[Internet, Study]) -> None:
    box, study = lab
    run.tell(scenario, box, study)
    ours = run.judge(scenario, study)[0]
    assert (ours.missed, ours.false_leaks, ours.wrong) == (0, [], [])
    found = {(each["resolver"], each["leak"]): set(each["vectors"]) for each in ours.planted}
    assert found == {
        ("red-hand", "other-resolver"): {"other-dot", "other-doh"},
        ("leaky", "type-65"): {"type-https"},
        ("leaky", "other-resolver"): {"other-dot", "other-doh"},
    }


def test_signed_unsigned_and_wrongly_signed_names_are_three_cases(scenario: Scenario, lab: tuple[Internet, Study]) -> None:
    """One chain of trust, from the root to each site: what validates gets no answer for wrong signatures, whoever blocks."""
    box, study = lab
    run.tell(scenario, box, study)
    rows = pq.read_table(study.directory / score.FOLDER / score.TRUTH).to_pylist()
    states = {(each["resolver"], each["name"], each["vector"]): each["state"] for each in rows}
    unsigned, signed, broken = (each.name for each in box.world.orders)
    assert [states["red-hand", each, "dnssec-bogus"] for each in (unsigned, signed, broken)] == ["blocked", "ok", "nothing"]
    assert [states["open", each, "type-a"] for each in (unsigned, signed, broken)] == ["ok", "ok", "down"]
    assert [states["open-too", each, "type-a"] for each in (unsigned, signed, broken)] == ["ok", "ok", "ok"], "it does not validate"
    for name, said in ((signed, "flags: qr rd ra ad;"), (unsigned, "flags: qr rd ra;"), (broken, "status: SERVFAIL")):
        recursor = box.servers["open"].resolver.endpoints[0].address
        assert said in box.client.run("dig", f"@{recursor}", name, "A", "+dnssec", "+tries=1", "+time=10")


def test_a_killed_lab_leaves_no_process_no_network_and_no_socket(scenario: Scenario, tmp_path: Path) -> None:
    maker = (
        "import sys, time\nfrom pathlib import Path\nfrom porosity.lab.internet import Internet\nfrom porosity.lab.scenario import parse\n"
        f"with Internet(parse({SMALL!r}, 'small'), {SEED}, Path(sys.argv[1])):\n    print('up', flush=True)\n    time.sleep(600)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    command = [sys.executable, "-c", maker, str(tmp_path / "lab")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        programs = psutil.Process(process.pid).children(recursive=True)
        networks = {_network(each.pid) for each in programs} - {_network(os.getpid()), ""}
        assert len(networks) > 3
        process.send_signal(signal.SIGKILL)
    wait_for(lambda: not any(_lives(each) for each in programs), "the end of the lab's programs")
    wait_for(lambda: not networks & {_network(pid) for pid in psutil.pids()}, "the end of the lab's networks")
    Internet(scenario, SEED, tmp_path / "next").close()  # whoever is next removes the sockets
    assert not list(Path(tempfile.gettempdir()).glob(f"redhand-lab-{process.pid}-*"))


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _network(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return ""
