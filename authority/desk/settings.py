"""The desk's settings: the section `desk` of config.yaml. What a regulator decides (clocks, texts, penalties) is no setting: see `procedure`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from blocklists.settings import Section


class MailSettings(Section):
    """How messages to hosts, owners and people of the desk leave."""

    smtp: str = Field(default="", description="mail server, HOST:PORT; empty: each message becomes a file, to be sent by hand")
    starttls: bool = Field(default=True, description="speak to the mail server in TLS only")
    ca_file: str = Field(default="", description="certificates (PEM) that the mail server's must lead to; empty: those this machine trusts")
    user: str = Field(default="", description="user at the mail server; empty: none")
    password_file: str = Field(default="", description="file whose first line is that user's password")
    sender: str = Field(default="desk@authority.example", description="address that messages come from, and that answers go to")


class SignInSettings(Section):
    """Sign-in by the house's own OpenID Connect provider, beside passwords."""

    issuer: str = Field(default="", description="address of the provider, https://…; empty: passwords only")
    client_id: str = Field(default="", description="our id there")
    client_secret_file: str = Field(default="", description="file whose first line is our secret there")


class EvidenceSettings(Section):
    """Where evidence is kept, encrypted."""

    store: str = Field(default="", description="folder, or fsspec address such as s3://bucket/prefix; empty: desk/evidence in the directory")
    endpoint: str = Field(default="", description="address of an S3-compatible server; empty: the provider's own")
    key_file: str = Field(default="", description="file with the key that wraps each object's own; empty: desk/evidence.key, made at the first need")


class DeskSettings(Section):
    """An authority's desk: cases, clocks, people and evidence."""

    directory: str = Field(
        default="authority", description="the authority's directory, which `redhand authority init` makes; the desk is desk/ in it"
    )
    listen: str = Field(default="127.0.0.1:8450", description="address and port of the desk, plain HTTP; put TLS in front of it")
    url: str = Field(default="http://127.0.0.1:8450/", description="the desk's address as people type it; messages link to it, and cookies go by it")
    proxies: tuple[str, ...] = Field(
        default=("127.0.0.1", "::1"), description="addresses of what stands in front of it, whose X-Forwarded-For says where a request comes from"
    )
    database: str = Field(default="", description="postgresql+psycopg://…; empty: SQLite, desk/desk.db in the directory")
    referrals_per_hour: Annotated[int, Field(ge=1)] = Field(default=20, description="referrals taken in an hour from one address by the public form")
    referrals_per_minute: Annotated[int, Field(ge=1)] = Field(default=120, description="referrals taken in a minute by the public form from all")
    flagger_referrals_per_hour: Annotated[int, Field(ge=1)] = Field(
        default=120, description="referrals taken in an hour with one token of a trusted flagger"
    )
    resolver: str = Field(
        default="", description="resolver that is asked before an order whether its names exist, ADDRESS:PORT; empty: nobody is asked"
    )
    hook: str = Field(
        default="", description="program run at a threat to life and at a clock that is overdue, with JSON on standard input; empty: none"
    )
    mail: MailSettings = Field(default=MailSettings(), description="how messages leave")
    sign_in: SignInSettings = Field(default=SignInSettings(), description="OpenID Connect")
    evidence: EvidenceSettings = Field(default=EvidenceSettings(), description="where evidence is kept")
