"""Settings are read strictly, and every mistake is named with its file, line, key, value and remedy."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from blocklists.errors import ConfigurationError
from redhand.config import Configuration, Settings, load, written


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str, environ: Mapping[str, str] | None = None) -> Configuration:
    """The configuration of a file in the working directory."""
    Path("given.yaml").write_text(text, encoding="utf-8")
    return load(Path("given.yaml"), environ or {})


def refusal(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """The lines of the error that the file is refused with, the heading left out."""
    with pytest.raises(ConfigurationError) as caught:
        read(text, environ)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


# One mistake, and what its message must hold: where, which key, which value, and what to do.
MISTAKES = [
    ("resolver:\n  worker: 2\n", ["given.yaml:2:", "resolver.worker = 2", "did you mean workers?"]),
    (
        "colour: red\n",
        ["given.yaml:1:", 'colour = "red"', "settings here: state_dir, logs, user, resolver, landing, blocklists, feed, metrics, desk"],
    ),
    ("resolver:\n  workers: '2'\n", ["given.yaml:2:", 'resolver.workers = "2"', "must be a whole number", "0: one a core"]),
    ("resolver:\n  workers: 2.5\n", ["given.yaml:2:", "resolver.workers = 2.5", "whole number"]),
    ("resolver:\n  workers: true\n", ["given.yaml:2:", "resolver.workers = true", "must be a whole number"]),
    ("resolver:\n  workers: 257\n", ["given.yaml:2:", "resolver.workers = 257", "less than or equal to 256"]),
    ("resolver:\n  workers:\n", ["given.yaml:2:", "resolver.workers = null", "must be a whole number, not empty"]),
    ("resolver:\n  listen: 127.0.0.1:53\n", ["given.yaml:2:", 'resolver.listen = "127.0.0.1:53"', "must be a list, such as [a, b]"]),
    ("resolver:\n  listen: []\n", ["given.yaml:2:", "resolver.listen = []", "must not be empty"]),
    (
        "resolver:\n  listen:\n    - 127.0.0.1:53\n    - 127.0.0.300:53\n",
        ["given.yaml:4:", "resolver.listen[1]", "'127.0.0.300' is not an IP address"],
    ),
    ("resolver:\n  listen: ['127.0.0.1:0']\n", ["given.yaml:2:", "'0' is not a port", "1 to 65535"]),
    ("resolver:\n  listen: ['::1']\n", ["given.yaml:2:", "'::1' has no port", "[2001:db8::1]:53"]),
    ("resolver:\n  strategy: quickest\n", ["given.yaml:2:", "must be fastest, ordered, parallel or weighted"]),
    ("resolver:\n  upstreams:\n    - trusted_ad: true\n", ["given.yaml:3:", "resolver.upstreams[0].address", "is missing; write it"]),
    ("resolver:\n  upstreams:\n    - {address: 0.0.0.0}\n", ["given.yaml:3:", "is no server's address"]),
    ("resolver:\n  upstreams:\n    - {address: 192.0.2.1, trusted_ad: 1}\n", ["given.yaml:3:", "trusted_ad = 1", "must be true or false"]),
    ("resolver:\n  allow: [10.0.0.1/8]\n", ["given.yaml:2:", "resolver.allow[0]", "is not a network"]),
    ("resolver:\n  zones: [{zone: a..b, upstreams: [{address: 192.0.2.1}]}]\n", ["given.yaml:2:", "resolver.zones[0].zone", "empty label"]),
    ("landing:\n  listen: [localhost:80]\n", ["given.yaml:2:", "landing.listen[0]", "'localhost' is not an IP address"]),
    ("state_dir: 7\n", ["given.yaml:1:", "state_dir = 7", "must be a path in quotes"]),
    ("state_dir: ''\n", ["given.yaml:1:", 'state_dir = ""', "must be a path in quotes"]),
    ("blocklists:\n  max_bad_share: 1.5\n", ["given.yaml:2:", "blocklists.max_bad_share = 1.5", "less than or equal to 1"]),
    ("blocklists:\n  max_bad_share: .nan\n", ["given.yaml:2:", "blocklists.max_bad_share"]),
    ("blocklists:\n  sources: [{id: a b, path: x, format: hosts}]\n", ["given.yaml:2:", "blocklists.sources[0].id", "1 to 64 ASCII letters"]),
    ("blocklists:\n  sources: [{id: a, path: x, format: rpz}]\n", ["given.yaml:2:", "must be directives, domains or hosts"]),
    ("resolver:\n  upstreams: [192.0.2.1]\n", ["given.yaml:2:", "resolver.upstreams[0]", "each `name: value`, such as {address: 192.0.2.1}"]),
    ("resolver:\n\tworkers: 1\n", ["given.yaml:2:", "is not YAML", "no tabs in indentation; use spaces"]),
    ("resolver: {}\n---\nlanding: {}\n", ["given.yaml:2:", "is not YAML", "remove the line ---"]),
    ("resolver: !thing {}\n", ["given.yaml:1:", "the YAML tag '!thing' is not used here"]),
    ("blocklists:\n  sources: [{id: a, path: '', format: hosts}]\n", ["given.yaml:2:", "blocklists.sources[0].path", "must not be empty"]),
    ("resolver: {allow: []}\n", ["given.yaml:1:", "resolver.allow", "must not be empty"]),
    (
        "resolver: {min_ttl_seconds: 100, max_ttl_seconds: 60}\n",
        ["given.yaml:1:", "min_ttl_seconds (100)", "max_ttl_seconds (60)", "lower the first"],
    ),
    ("resolver: 5\n", ["given.yaml:1:", "resolver = 5", "must be settings, each `name: value`"]),
    ("resolver:\n  workers: 1\n  workers: 2\n", ["given.yaml:3:", "resolver.workers", "is written twice; the first is at given.yaml:2"]),
    ("- a\n- b\n", ["given.yaml:1:", "must hold settings"]),
    ("resolver: [1\nworkers: 2\n", ["given.yaml:2:", "is not YAML"]),
    ("resolver: {workers: 1}\n---\nresolver: {}\n", ["is not YAML", "found another document"]),
    ("resolver: &a {zones: []}\nlanding: *a\n", ["given.yaml:1:", "YAML aliases are not used here"]),
    ("resolver: {workers: !!python/name:os.system x}\n", ["given.yaml:1:", "resolver.workers", "the YAML tag", "is not used here"]),
    ("1: 2\n", ["given.yaml:1:", "a key must be plain text"]),
    ("resolver: {workers: " + "9" * 5000 + "}\n", ["given.yaml:1:", "resolver.workers"]),
    ("a: " + "[" * 3000 + "]" * 3000 + "\n", ["given.yaml:", "nested too deeply"]),
    ("state_dir: \x01\n", ["given.yaml:", "is not YAML"]),
]


@pytest.mark.parametrize(("text", "parts"), MISTAKES, ids=[text.strip()[:50].replace("\n", " ") for text, _ in MISTAKES])
def test_a_mistake_is_named_with_its_place_key_value_and_remedy(text: str, parts: list[str]) -> None:
    lines = refusal(text)
    assert len(lines) == 1, lines
    for part in parts:
        assert part in lines[0]


def test_all_mistakes_are_named_at_once_in_the_order_of_the_file() -> None:
    lines = refusal("resolver:\n  workers: x\n  listen: [1, 127.0.0.1:53]\nlandng: 3\nblocklists:\n  keep_versions: 1\n")
    assert [line.split(": ")[0] for line in lines] == ["given.yaml:2", "given.yaml:3", "given.yaml:4", "given.yaml:6"]


def test_variables_override_the_file_and_the_file_overrides_defaults() -> None:
    environ = {"REDHAND_RESOLVER__WORKERS": "3", "REDHAND_RESOLVER__LISTEN": '["127.0.0.1:5353"]', "REDHAND_LANDING__OPERATOR": "Example"}
    settings = read("resolver:\n  workers: 2\n  cache_mb: 64\n", environ).settings
    assert (settings.resolver.workers, settings.resolver.listen, settings.resolver.cache_mb) == (3, ("127.0.0.1:5353",), 64)
    assert settings.landing.operator == "Example"
    assert settings.resolver.block_ttl_seconds == Settings.model_fields["resolver"].default.block_ttl_seconds


VARIABLES = [
    ("REDHAND_RESOLVER__WORKER", "2", ["REDHAND_RESOLVER__WORKER:", "resolver.worker = 2", "did you mean workers?"]),
    ("REDHAND_COLOUR__BRIGHT", "2", ["REDHAND_COLOUR__BRIGHT:", "colour", "is not a setting"]),
    ("REDHAND_RESOLVER__WORKERS", "two", ["REDHAND_RESOLVER__WORKERS:", 'resolver.workers = "two"', "must be a whole number"]),
    ("REDHAND_RESOLVER__LISTEN", "[::1]:53", ["REDHAND_RESOLVER__LISTEN:", "resolver.listen", "is not YAML", "in quotes"]),
    ("REDHAND_RESOLVER__LISTEN", "[127.0.0.1]", ["REDHAND_RESOLVER__LISTEN:", "resolver.listen[0]", "has no port"]),
    ("REDHAND_", "1", ["REDHAND_:", "is not a setting"]),
]


@pytest.mark.parametrize(("variable", "value", "parts"), VARIABLES)
def test_a_mistake_in_a_variable_names_the_variable(variable: str, value: str, parts: list[str]) -> None:
    lines = refusal("", {variable: value})
    assert len(lines) == 1, lines
    for part in parts:
        assert part in lines[0]


def test_a_variable_mends_a_mistake_of_the_file() -> None:
    assert read("resolver:\n  workers: x\n", {"REDHAND_RESOLVER__WORKERS": "1"}).settings.resolver.workers == 1


def test_variables_of_others_and_reserved_ones_are_left_alone() -> None:
    assert load(None, {"PATH": "/bin", "REDHAND_CI": "1", "REDHAND_PASSPHRASE": "of a key", "redhand_x": "1"}).settings.resolver.workers == 0


def test_the_file_is_the_one_given_then_the_variable_then_here_then_none() -> None:
    for number, name in enumerate(("given.yaml", "named.yaml", "config.yaml"), 1):
        Path(name).write_text(f"resolver: {{workers: {number}}}\n", encoding="utf-8")
    environ = {"REDHAND_CONFIG": "named.yaml"}
    assert load(Path("given.yaml"), environ).settings.resolver.workers == 1
    assert load(None, environ).settings.resolver.workers == 2
    assert load(None, {}).settings.resolver.workers == 3
    Path("config.yaml").unlink()
    assert load(None, {}).settings.resolver.workers == 0


def test_an_unreadable_file_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"missing\.yaml: cannot be read \(No such file or directory\); name a readable file with --config"):
        load(Path("missing.yaml"), {})
    Path("latin.yaml").write_bytes(b"landing:\n  operator: caf\xe9\n")
    with pytest.raises(ConfigurationError, match=r"latin\.yaml:2: byte 0xe9 is not UTF-8"):
        load(Path("latin.yaml"), {})
    Path("large.yaml").write_bytes(b"#" * (2 << 20))
    with pytest.raises(ConfigurationError, match="larger than 1 MiB"):
        load(Path("large.yaml"), {})


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc" / "c.yaml"
    file.write_text("state_dir: ../state\nblocklists:\n  sources: [{id: a, path: a.txt, format: domains}, {id: b, path: /b.txt, format: hosts}]\n")
    settings = load(Path("etc/c.yaml"), {}).settings
    assert settings.state_dir.resolve() == tmp_path / "state"
    assert [source.path for source in settings.blocklists.sources] == [str(tmp_path / "etc" / "a.txt"), "/b.txt"]


def test_the_demonstration_is_for_who_has_no_file_or_writes_it_there() -> None:
    assert load(None, {}).settings.feed.urls == ("builtin:demo",)
    assert load(None, {"REDHAND_FEED__POLL_SECONDS": "30"}).settings.feed.urls == ("builtin:demo",)
    assert load(None, {"REDHAND_FEED__URLS": "[]"}).settings.feed.urls == ()
    for text in ("state_dir: here\n", "feed: {poll_seconds: 30}\n", "feed: {urls: []}\n"):
        assert read(text).settings.feed.urls == ()
    assert read("feed: {urls: ['builtin:demo']}\n").settings.feed.urls == ("builtin:demo",)
    with pytest.raises(ConfigurationError, match=r"feed = .*the demonstration \(builtin:demo\) stands alone"):
        read("feed: {urls: ['builtin:demo', 'https://feed.authority.example/']}\n")
    with pytest.raises(ConfigurationError, match=r"names the demonstration \(builtin:demo\), which brings its own root"):
        read("feed: {urls: ['builtin:demo'], root: root.json}\n")


def test_settings_are_frozen() -> None:
    settings = load(None, {}).settings
    with pytest.raises(ValueError, match="frozen"):
        settings.state_dir = Path("/elsewhere")  # type: ignore[misc]


def test_what_is_shown_can_be_read_back() -> None:
    settings = read("resolver:\n  workers: 2\n  zones: [{zone: corp.example, upstreams: [{address: 192.0.2.1}]}]\n").settings
    assert read(yaml.safe_dump(written(settings))).settings == settings
    assert read(json.dumps(written(settings))).settings == settings


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(string.printable, max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(Settings.model_fields)) | st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)


def refused(text: str) -> str:
    """What the file is refused with; nothing if it is taken."""
    try:
        read(text)
    except ConfigurationError as error:
        return str(error)
    return ""


@given(PLAIN)
def test_any_plain_values_are_settings_or_a_located_refusal(value: object) -> None:
    message = refused(yaml.safe_dump(value, allow_unicode=True))
    located = [line.strip().startswith("given.yaml:") for line in message.splitlines() if not line.startswith("the configuration has")]
    assert not message or (located and located[0])


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80))
def test_any_text_is_settings_or_a_refusal_naming_the_file(text: str) -> None:
    message = refused(text)
    assert not message or "given.yaml" in message


def test_a_file_without_an_end_is_no_configuration() -> None:
    with pytest.raises(ConfigurationError, match="/dev/zero: is larger than 1 MiB"):
        load(Path("/dev/zero"), {})
