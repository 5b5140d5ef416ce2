"""Settings that are each right but cannot work together, or not on this machine, are refused with place, value and remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blocklists.errors import ConfigurationError
from blocklists.settings import FeedSettings
from landing.settings import LandingSettings
from redhand import crosscheck
from redhand.config import Configuration, load
from resolver.settings import Upstream
from resolver.sockets import is_here


def read(text: str, directory: Path) -> Configuration:
    """The configuration of a file in the directory."""
    file = directory / "given.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, {})


# Settings of the resolver section that are refused, and what the message must hold.
REFUSED = [
    (
        "upstreams: [{address: 127.0.0.1:5300}]",
        ["given.yaml:2:", "resolver.upstreams[0].address", "is our own listener 127.0.0.1:5300", "name the recursor"],
    ),
    ("upstreams: [{address: '[::1]:5300'}]", ["is our own listener [::1]:5300"]),
    ("upstreams: [{address: '[::ffff:127.0.0.1]:5300'}]", ["is our own listener 127.0.0.1:5300"]),
    (
        "listen: ['0.0.0.0:5300']\n  allow: [127.0.0.0/8]\n  upstreams: [{address: 127.0.0.9:5300}]",
        ["given.yaml:4:", "is our own listener 0.0.0.0:5300"],
    ),
    (
        "zones: [{zone: corp.example, upstreams: [{address: 192.0.2.1}, {address: 127.0.0.1:5300}]}]",
        ["resolver.zones[0].upstreams[1].address", "is our own listener"],
    ),
    ("listen: ['203.0.113.254:5300']", ["resolver.listen[0]", '"203.0.113.254:5300"', "is no address of this machine", "0.0.0.0"]),
    ("listen: ['224.0.0.1:5300']", ["resolver.listen[0]", "is a multicast address"]),
    ("listen: ['127.0.0.1:5300', '127.0.0.1:5300']", ["resolver.listen[1]", "is taken by resolver.listen[0] already"]),
    ("listen: ['127.0.0.1:8080']", ["built-in default: landing.listen[0]", "is taken by resolver.listen[0] already"]),
    (
        "listen: ['0.0.0.0:5300']",
        ["given.yaml:1: resolver.landing_addresses[0]", '"127.0.0.1"', "clients in 10.0.0.0/8", "write this server's address"],
    ),
    (
        "listen: ['0.0.0.0:5300']\n  landing_addresses: ['192.0.2.80', '::1']",
        ["given.yaml:3: resolver.landing_addresses[1]", '"::1"', "is a loopback address"],
    ),
    ("listen: ['0.0.0.0:5300']\n  landing_addresses: ['::ffff:127.0.0.1']", ["resolver.landing_addresses[0]", "is a loopback address"]),
    ("landing_addresses: [0.0.0.0]", ["resolver.landing_addresses[0]", "is no address a visitor can reach", "nodata or nxdomain"]),
    (
        "listen: ['0.0.0.0:5300']\n  landing_addresses: [192.0.2.80]\n  groups: [{name: a, networks: [10.0.0.0/8], landing_addresses: [127.0.0.2]}]",
        ["given.yaml:4:", "resolver.groups[0].landing_addresses[0]", "clients in 10.0.0.0/8"],
    ),
    (
        "groups: [{name: a, networks: [10.0.0.0/8]}, {name: a, networks: [10.0.0.0/8]}]",
        ["resolver.groups[1].name", "names another group already"],
    ),
]


@pytest.mark.parametrize(("text", "parts"), REFUSED, ids=[text.replace("\n", "")[:70] for text, _ in REFUSED])
def test_settings_that_cannot_work_are_refused(text: str, parts: list[str], tmp_path: Path) -> None:
    configuration = read(f"resolver:\n  {text}\n", tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        crosscheck.check(configuration)
    lines = str(caught.value).splitlines()[1:]
    assert any(all(part in line for part in parts) for line in lines), lines


ACCEPTED = [
    "upstreams: [{address: 127.0.0.1:53}]",
    "listen: ['0.0.0.0:5300']\n  landing_addresses: [192.0.2.80]",
    "listen: ['0.0.0.0:5300']\n  allow: [127.0.0.0/8]",
    "listen: ['0.0.0.0:5300']\n  allow: [127.0.0.0/8, 10.1.0.0/16]\n  groups: [{name: a, networks: [10.0.0.0/8], landing_addresses: [10.0.0.1]}]",
    "listen: ['0.0.0.0:5300']\n  allow: [127.0.0.0/8, '2001:db8::/32']",  # no listener takes IPv6 clients
    "listen: ['127.0.0.1:5300', '127.0.0.2:5300']",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_settings_that_work_are_accepted(text: str, tmp_path: Path) -> None:
    crosscheck.check(read(f"resolver:\n  {text}\n", tmp_path))


def test_the_demonstration_is_mixed_with_nothing_real(tmp_path: Path) -> None:
    def refusal(text: str) -> str:
        with pytest.raises(ConfigurationError) as caught:
            crosscheck.check(read(text, tmp_path))
        return str(caught.value)

    real = "feed:\n  urls: ['https://feed.authority.example/']\n  root: root.json\n"
    root = tmp_path / "root.json"
    root.write_text(json.dumps({"signed": {"redhand": {"origin": "x"}}, "signatures": []}))
    crosscheck.check(read(real, tmp_path))
    root.write_text(json.dumps({"signed": {"redhand": {"demonstration": True}}, "signatures": []}))
    assert 'given.yaml:3: feed.root = "' in refusal(real)
    assert "is a demonstration authority's root file, whose keys are nobody's; get root.json from the authority" in refusal(real)
    root.unlink()

    trust, demo = tmp_path / "var" / "trust", tmp_path / "var" / "demo"
    trust.mkdir(parents=True)
    (trust / "authority").write_text(json.dumps({"demonstration": True, "origin": "x"}))
    crosscheck.check(read("feed: {urls: ['builtin:demo']}\n", tmp_path))
    for text in (real, "feed: {urls: []}\n", "logs: text\n"):
        assert "holds the demonstration's orders, which bind nobody, and these settings do not follow it; name another directory" in refusal(text)
    (trust / "authority").write_text(json.dumps({"demonstration": False, "origin": "x"}))
    crosscheck.check(read("logs: text\n", tmp_path))
    assert "holds what a real authority ordered, and these settings follow the demonstration" in refusal("feed: {urls: ['builtin:demo']}\n")

    demo.mkdir()
    (demo / "url").write_text("http://127.0.0.1:4040/")
    assert "feed.urls[0]" in refusal("feed: {urls: ['http://127.0.0.1:4040/'], root: root.json}\n")


SOURCES = [
    ("{id: a, path: missing.txt, format: domains}", ["blocklists.sources[0].path", "missing.txt", "does not exist; create the file"]),
    ("{id: a, path: ., format: hosts}", ["blocklists.sources[0].path", "is a directory"]),
    (
        "{id: sample, path: ., format: directives, action: pass}",
        ["given.yaml:3", "blocklists.sources[0].action", "for domains and hosts only"],
    ),
    (
        "{id: a, path: ., format: directives}\n    - {id: a, path: ., format: directives}",
        ["given.yaml:4", "blocklists.sources[1].id", "another source already"],
    ),
]


@pytest.mark.parametrize(("text", "parts"), SOURCES)
def test_sources_that_cannot_be_read_are_refused(text: str, parts: list[str], tmp_path: Path) -> None:
    configuration = read(f"blocklists:\n  sources:\n    - {text}\n", tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        crosscheck.check(configuration)
    for part in parts:
        assert part in str(caught.value).splitlines()[1]


def test_a_protected_name_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"given\.yaml:2: blocklists\.protected\[0\] = \"a\.\.b\""):
        crosscheck.check(read("blocklists:\n  protected: [a..b]\n", tmp_path))


def test_a_user_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"given\.yaml:1: user = \"nosuch\": is no user of this machine"):
        crosscheck.check(read("user: nosuch\n", tmp_path))


def test_every_conflict_is_named_at_once(tmp_path: Path) -> None:
    section = "  listen: ['0.0.0.0:5300']\n  landing_addresses: [127.0.0.1]\n  upstreams: [{address: 127.0.0.1:5300}]\n"
    text = f"resolver:\n{section}blocklists:\n  protected: ['']\n"
    with pytest.raises(ConfigurationError) as caught:
        crosscheck.check(read(text, tmp_path))
    assert [line.split(": ")[0].rpartition(":")[2] for line in str(caught.value).splitlines()[1:]] == ["3", "4", "6"]


def test_the_defaults_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    crosscheck.check(load(None, {}))


def system(text: str, directory: Path) -> str:
    """A system resolver configuration's path."""
    file = directory / "resolv.conf"
    file.write_text(text, encoding="ascii")
    return str(file)


def test_upstreams_are_those_configured_else_those_of_the_system(tmp_path: Path) -> None:
    conf = system("search example\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n", tmp_path)
    assert crosscheck.upstreams(read("", tmp_path), conf) == (Upstream(address="192.0.2.53:53"), Upstream(address="[2001:db8::53]:53"))
    configured = read("resolver:\n  upstreams: [{address: 198.51.100.53, trusted_ad: true}]\n", tmp_path)
    assert crosscheck.upstreams(configured, conf) == (Upstream(address="198.51.100.53:53", trusted_ad=True),)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (None, ["resolver.upstreams", "cannot be used", "list them in the configuration"]),
        ("search example\n", ["resolver.upstreams", "no nameservers", "list them in the configuration"]),
        ("nameserver not-an-address\n", ["cannot be used", "list them in the configuration"]),
        ("nameserver 127.0.0.1\n", ["resolv.conf: nameserver", "is our own listener 127.0.0.1:53", "in a circle"]),
    ],
)
def test_a_system_configuration_that_cannot_serve_is_refused(text: str | None, parts: list[str], tmp_path: Path) -> None:
    conf = str(tmp_path / "missing.conf") if text is None else system(text, tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        crosscheck.upstreams(read("resolver:\n  listen: [127.0.0.1:53]\n", tmp_path), conf)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("listen", "upstream"),
    [
        ("127.0.0.1:5301", "127.0.0.1:5301"),
        ("0.0.0.0:5301", "127.0.0.1:5301"),
        ("0.0.0.0:5301", "127.0.0.9:5301"),
        ("127.0.0.1:5301", "'[::ffff:127.0.0.1]:5301'"),
        ("0.0.0.0:5301", "'[::ffff:127.0.0.1]:5301'"),
    ],
)
@pytest.mark.parametrize("key", ["upstreams: [{address: %s}]", "zones: [{zone: a.example, upstreams: [{address: %s}]}]"])
def test_a_direct_loop_is_refused_by_whatever_name(listen: str, upstream: str, key: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is our own listener"):
        crosscheck.check(read(f"resolver:\n  listen: ['{listen}']\n  {key % upstream}\n", tmp_path))


def test_only_a_default_listener_may_be_missing(tmp_path: Path) -> None:
    explicit = read("resolver:\n  listen: ['[::1]:5300']\n", tmp_path).settings.resolver
    assert not crosscheck.absent_ipv6(explicit, "::1")
    default = read("", tmp_path).settings.resolver
    assert crosscheck.absent_ipv6(default, "::1") is not is_here("::1")
    assert not crosscheck.absent_ipv6(default, "127.0.0.1")


def test_a_state_directory_is_made_or_refused(tmp_path: Path) -> None:
    assert crosscheck.state_dir(read("state_dir: a/b\n", tmp_path), []).is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"given\.yaml:1: state_dir = .*cannot be written"):
        crosscheck.state_dir(read("state_dir: file/b\n", tmp_path), [])


# Paths that no list can be read from, and what the message must say.
UNREADABLE = [
    ("nothing", "does not exist; create the file"),
    ("list.txt/under", "does not exist; create the file"),
    (".", "is a directory; name one file"),
    ("/dev/zero", "is not a plain file; name one"),
    ("x" * 300, "cannot be reached by this user (File name too long)"),
]


@pytest.mark.parametrize(("path", "what"), UNREADABLE, ids=[path[:20] for path, _ in UNREADABLE])
def test_a_file_that_cannot_be_read_is_refused_unless_its_last_content_is_held(path: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.example\n")
    sources = f"[{{id: house, path: {path}, format: domains}}, {{id: other, path: list.txt, format: domains}}]"
    configuration = read(f"blocklists:\n  sources: {sources}\n", tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        crosscheck.check(configuration, held=["other"])
    assert "given.yaml:2: blocklists.sources[0].path" in str(caught.value)
    assert what in str(caught.value)
    [warning] = crosscheck.check(configuration, held=["house"])
    assert what in warning
    assert warning.endswith("until then what source house last said stays in force")


@pytest.mark.parametrize(
    ("state_dir", "what"),
    [("list.txt/var", "is a file; name a directory"), ("~/var", "write the whole path"), ("x" * 300, "cannot be reached by this user")],
)
def test_a_state_directory_that_cannot_be_is_seen_without_making_one(state_dir: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.example\n")
    with pytest.raises(ConfigurationError) as caught:
        crosscheck.check(read(f"state_dir: {state_dir}\n", tmp_path))
    assert "given.yaml:1: state_dir" in str(caught.value)
    assert what in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given.yaml", "list.txt"]


def test_a_public_page_of_an_unnamed_operator_is_warned_of() -> None:
    public = ("192.0.2.1:80",)
    (warning,) = crosscheck.unnamed_operator(LandingSettings(listen=public))
    assert "landing.operator_url" in warning
    assert crosscheck.unnamed_operator(LandingSettings(listen=public, operator_url="https://telecom.example/")) == []
    assert crosscheck.unnamed_operator(LandingSettings()) == []


def test_a_form_for_errors_that_nobody_reads_is_warned_of() -> None:
    own = LandingSettings(own_name="report.operator.example")
    for feed in (FeedSettings(urls=()), FeedSettings(), FeedSettings(urls=("https://feed.authority.example/",), root="root.json")):
        (warning,) = crosscheck.untold_errors(own, feed)
        assert "report.operator.example is told that it goes nowhere" in warning
    followed = FeedSettings(urls=("https://feed.authority.example/",), root="root.json", token_file="token")
    assert crosscheck.untold_errors(own, followed) == crosscheck.untold_errors(LandingSettings(), FeedSettings()) == []


def test_a_logo_that_the_page_cannot_show_is_named_with_its_line(tmp_path: Path) -> None:
    settings = "landing:\n  operator: Example Telecom\n  logo: logo.svg\n"
    (problem,) = crosscheck.shown_logo(read(settings, tmp_path))
    assert "given.yaml:3: landing.logo = " in str(problem)
    assert "cannot be read (No such file or directory)" in str(problem)
    (tmp_path / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>')
    assert "is an SVG with <script>" in str(crosscheck.shown_logo(read(settings, tmp_path))[0])
    (tmp_path / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    assert crosscheck.shown_logo(read(settings, tmp_path)) == []
    assert crosscheck.shown_logo(read("landing: {}\n", tmp_path)) == []
