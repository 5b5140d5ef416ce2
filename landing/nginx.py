"""Writes the nginx configuration that serves an exported set of pages as the landing page would. Pure: tables in, text out.

nginx chooses by maps alone: the order by Host, the kind by what Accept, Sec-Fetch-Dest and the path say (`landing.kinds`, whose tables these maps are
made of), the language by the switch and Accept-Language; the visitor's name is put into the page by server-side includes. Three things it cannot do:
weigh `q` values (it takes the first language named that there is, and JSON wherever HTML is not named or given a lower weight), ask
the resolver about aliases, and know names that are written otherwise than in letters, digits, dots, hyphens and underscores.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from blocklists import ulabels
from landing import headers
from landing.kinds import DESTINATIONS, ENDINGS, RANGES, Kind, language_of, small
from landing.page import HTML, PROBLEM
from landing.proofs import CONTENT_TYPE, PREFIX

TITLE = b'<!--# echo var="redhand_name" encoding="none" -->'
"""Where the visitor's name goes; the maps let no character through that would have to be escaped."""
PEOPLE = b'<!--# echo var="redhand_people" encoding="none" -->'
"""The same as its owner writes it (`landing.ulabels.for_people`)."""

LISTED = b'<!--# echo var="redhand_listed" encoding="none" -->'
"""The listed name that blocks it."""

SMALL_FILES: dict[Kind, str] = {
    "image": "image.svg", "favicon": "image.svg", "script": "script.js", "style": "style.css", "font": "font.woff2", "media": "media.mp4",
    "data": "data.json", "preflight": "empty", "options": "options.txt", "robots": "robots.txt",
}  # fmt: skip
"""The file of each small kind, under pages/451/small and pages/403/small."""

_MAPS_WORDS = frozenset(("default", "hostnames", "include", "volatile"))
"""What nginx would not take for a name in a map."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is exported, and by what it is chosen."""

    folder: str
    """Where the set stands, an absolute path."""
    token: str
    """A path that no site has, under which nginx keeps the files."""
    listen: Sequence[str]
    names: Mapping[str, str]
    """`name` or `*.name`, in A-labels: the page's identifier, `451-…` or `403-…`; empty where nothing below a listed name is blocked."""
    listed: Mapping[str, str]
    """In the same way: the listed name that a page shared by many takes from here."""
    unicode_names: Mapping[str, str]
    """Listed names with A-labels that decode: as their owners write them."""
    languages: Sequence[str]
    language: str
    """For visitors who ask for none of them."""
    operator_url: str
    policy: str


def configuration(choice: Choice, comment: str) -> str:
    """The file to include in nginx's http block."""
    quoted = max((len(name) for name in choice.names), default=0)
    lines = [
        *(f"# {line}" for line in comment.splitlines()),
        "",
        f"map_hash_max_size {max(2048, 2 * len(choice.names))};",
        f"map_hash_bucket_size {512 if quoted > 100 else 256};",
        "",
        *_hosts(choice),
        *_languages(choice),
        *_kinds(),
        *_files(),
        *_server(choice),
    ]
    return "\n".join(lines) + "\n"


def _map(source: str, name: str, rows: Iterable[tuple[str, str]], *, hostnames: bool = False) -> list[str]:
    return [
        f"map {_quoted(source)} ${name} {{",
        *(["    hostnames;"] if hostnames else []),
        *(f"    {key if key == 'default' else _quoted(key)} {_quoted(value)};" for key, value in rows),
        "}",
    ]


def _rows(table: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    return ((f"\\{name}" if name in _MAPS_WORDS else name, value) for name, value in table.items())


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _hosts(choice: Choice) -> list[str]:
    unicode_names = [(form, text) for name, text in choice.unicode_names.items() for form in (name, f"*.{name}")]
    turned = [(form, ulabels.ISOLATE) for name, text in choice.unicode_names.items() if ulabels.turns(text) for form in (name, f"*.{name}")]
    tails = [(form, name) for name in choice.unicode_names for form in (name, f"*.{name}")]
    label = "(?!..--)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
    return [
        *_map("$host", "redhand_name", [("~^[a-z0-9._-]+$", "$host"), ("default", "")]),
        *_map("$redhand_name", "redhand_page", [("default", ""), *_rows(choice.names)], hostnames=True),
        *_map("$redhand_name", "redhand_listed", [("default", ""), *_rows(choice.listed)], hostnames=True),
        *_map("$redhand_page", "redhand_status", [("~^451-", "451"), ("~^403-", "403"), ("default", "404")]),
        # A name under one that has A-labels is shown as its owner writes it, if its own labels are plain: sub + listed (name).
        *_map("$redhand_name", "redhand_tail", [("default", ""), *tails], hostnames=True),
        *_map("$redhand_name", "redhand_unicode", [("default", ""), *unicode_names], hostnames=True),
        *_map("$redhand_name", "redhand_apart", [("default", ""), *turned], hostnames=True),
        *_map("$redhand_apart", "redhand_together", [("", ""), ("default", ulabels.END)]),
        *_map(
            "$redhand_name $redhand_tail",
            "redhand_people",
            [(rf"~^(?<redhand_sub>(?:{label}\.)*)(?<redhand_end>[^ ]+) \k<redhand_end>$",
              "$redhand_apart$redhand_sub$redhand_unicode$redhand_together ($redhand_apart$redhand_name$redhand_together)"),
             ("default", "$redhand_name")],
        ),
    ]  # fmt: skip


def _languages(choice: Choice) -> list[str]:
    known = "|".join(choice.languages)
    wanted = r"(?:-[^,;]*)?\s*(?:,|$|;\s*q=(?!0(?:\.0*)?\s*(?:,|$)))"
    """What follows a language whose weight is not 0."""
    first = rf"~*^\s*(?:(?!(?:{known}){wanted})[^,]*,\s*)*(?<redhand_first>{known})(?={wanted})"
    return [
        *_map("$http_accept_language", "redhand_accepted", [(first, "$redhand_first"), ("default", "")]),
        *_map(
            "$redhand_accepted",
            "redhand_negotiated",
            [*((language, language) for language in choice.languages), ("default", choice.language)],
        ),
        *_map(
            "$arg_lang",
            "redhand_language",
            [*((f"~^{language}$", language) for language in choice.languages), ("default", "$redhand_negotiated")],
        ),
    ]


def _kinds() -> list[str]:
    """The maps that decide as `kinds.kind_of` does, in its order."""
    endings: dict[str, list[str]] = {}
    for ending, kind in ENDINGS.items():
        endings.setdefault(kind, []).append(ending.decode())
    ranges = [(rf"~*^\s*{start.replace('.', chr(92) + '.')}", kind) for start, kind in RANGES.items()]
    html = r"text/html|application/xhtml\+xml"
    json = r"application/(?:problem\+)?json"
    return [
        *_map("$http_accept", "redhand_html", [(f"~*{html}", "html"), ("default", "-")]),
        *_map(
            "$http_accept",
            "redhand_json",
            [
                (rf"~*(?:{json})\s*;\s*q=0(?:\.0*)?\s*(?:,|$)", "-"),
                # Beside HTML it must weigh more: what has no weight does, against what has one.
                (rf"~*(?=.*(?:{html})\s*;\s*q=0)(?=.*{json}\s*(?:,|$))", "json"),
                (f"~*{html}", "-"),
                (f"~*{json}", "json"),
                ("default", "-"),
            ],
        ),
        *_map(
            "$http_sec_fetch_dest",
            "redhand_dest",
            [*((f"~^{dest}$", kind) for dest, kind in DESTINATIONS.items()), ("default", "-")],
        ),
        *_map("$http_accept", "redhand_asked", [*ranges, ("default", "-")]),
        *_map(
            "$uri",
            "redhand_path",
            [
                ("~^/robots\\.txt$", "robots"),
                ("~^/favicon\\.ico$", "favicon"),
                *((rf"~*\.(?:{'|'.join(found)})$", kind) for kind, found in endings.items()),
                ("default", "-"),
            ],
        ),
        *_map("$http_origin", "redhand_origin", [("", "-"), ("default", "origin")]),
        *_map("$http_access_control_request_method", "redhand_leave", [("", "-"), ("default", "leave")]),
        *_map(
            "$request_method $redhand_origin $redhand_leave $redhand_html $redhand_json $redhand_dest $redhand_path $redhand_asked",
            "redhand_kind",
            [
                ("~^OPTIONS origin leave ", "preflight"),
                ("~^OPTIONS ", "options"),
                ("~^[^ ]+ [^ ]+ [^ ]+ html json (?:-|page|data) ", "problem"),
                ("~^[^ ]+ [^ ]+ [^ ]+ html [^ ]+ (?:-|page|data) ", "page"),
                ("~^[^ ]+ [^ ]+ [^ ]+ html [^ ]+ (?<redhand_k1>[^ ]+) ", "$redhand_k1"),
                ("~^[^ ]+ [^ ]+ [^ ]+ - [^ ]+ [^ ]+ (?<redhand_k2>robots|favicon) ", "$redhand_k2"),
                ("~^[^ ]+ [^ ]+ [^ ]+ - json (?:page|data) ", "problem"),
                ("~^[^ ]+ [^ ]+ [^ ]+ - [^ ]+ (?<redhand_k3>[a-z]+) ", "$redhand_k3"),
                ("~ (?<redhand_k4>[a-z]+)$", "$redhand_k4"),
                ("~^[^ ]+ [^ ]+ [^ ]+ - json ", "problem"),
                ("~^[^ ]+ [^ ]+ [^ ]+ - - - (?<redhand_k5>[a-z]+) ", "$redhand_k5"),
                ("~^[^ ]+ origin ", "data"),
                ("default", "page"),
            ],
        ),
    ]


def _files() -> list[str]:
    return [
        *_map(
            "$redhand_kind",
            "redhand_file",
            [
                ("page", "html/$redhand_page.$redhand_language"),
                ("problem", "json/$redhand_page.$redhand_language"),
                *((kind, f"small/{file}") for kind, file in SMALL_FILES.items()),
            ],
        ),
        *_map("$redhand_json", "redhand_form", [("json", "json"), ("default", "html")]),
    ]


def _server(choice: Choice) -> list[str]:
    at = f"/{choice.token}"
    lines = ["server {"]
    lines += [f"    listen {endpoint} default_server;" for endpoint in choice.listen]
    lines += [
        "    server_name _;",
        "    # Nothing about a visitor is kept.",
        "    access_log off;",
        "    error_log /dev/null crit;",
        "    server_tokens off;",
        "    etag off;",
        "    if_modified_since off;",
        "    max_ranges 0;",
        "    client_max_body_size 0;",
        "    client_header_timeout 10s;",
        "    keepalive_timeout 5s;",
        "    charset off;",
        "    gzip off;",
        f"    error_page 451 {at}/451/$redhand_file;",
        f"    error_page 403 {at}/403/$redhand_file;",
        f"    error_page 404 {at}/404/$redhand_form/unknown.$redhand_language;",
        f"    error_page 400 405 408 413 414 494 =400 {at}/400/$redhand_form/bad.$redhand_language;",
        "    location / {",
        "        if ($redhand_status = 451) { return 451; }",
        "        if ($redhand_status = 403) { return 403; }",
        "        return 404;",
        "    }",
    ]
    lines += _proofs(choice)
    operator_url = choice.operator_url.replace("$", "%24")  # a dollar would begin a variable, and nginx knows no way to write one
    for status in (451, 403, 404, 400):
        pages = f"{choice.folder}/pages/{status}"
        for form, content_type in (("html", HTML), ("json", PROBLEM)):
            told = headers.fields(status, content_type, "$redhand_language", operator_url, choice.policy)
            lines += _location(f"{at}/{status}/{form}/", f"{pages}/{form}/", told, ssi=status in {451, 403})
        if status in {451, 403}:
            for kind, file in SMALL_FILES.items():
                if kind != "favicon":
                    told = headers.fields(status, small(kind, status)[0], language_of(kind), operator_url)
                    lines += _location(f"{at}/{status}/small/{file}", f"{pages}/small/{file}", told)
    lines.append("}")
    return lines


def _proofs(choice: Choice) -> list[str]:
    told = headers.fields(200, CONTENT_TYPE.decode(), "", choice.operator_url, choice.policy)
    told.append((b"content-disposition", b'attachment; filename="$redhand_proof.proof.json"'))
    begin = PREFIX.decode().replace(".", r"\.")
    return [
        f"    location ~ {_quoted(f'^{begin}(?<redhand_proof>[a-z0-9._-]+)$')} {{",
        f"        error_page 404 /{choice.token}/404/$redhand_form/unproved.$redhand_language;",
        *_answered(f"{choice.folder}/proofs/$redhand_proof.json", told),
        "    }",
    ]


def _location(path: str, files: str, told: Iterable[tuple[bytes, bytes]], *, ssi: bool = False) -> list[str]:
    lines = [f"    location {'^~' if path.endswith('/') else '='} {path} {{", "        internal;", *_answered(files, told)]
    if ssi:
        lines += ["        ssi on;", "        ssi_types *;", "        ssi_silent_errors on;"]
    return [*lines, "    }"]


def _answered(files: str, told: Iterable[tuple[bytes, bytes]]) -> list[str]:
    fields = {name.decode(): value.decode() for name, value in told}
    content_type = fields.pop("content-type")
    return [
        f"        alias {_quoted(files)};",
        "        types { }",
        f"        default_type {_quoted(content_type)};",
        *(f"        add_header {name} {_quoted(value)} always;" for name, value in fields.items()),
    ]
