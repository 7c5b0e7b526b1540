"""Everything an operator can set, read once from the environment."""

import logging
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)

from services.client_settings import ClientSettings
from services.sendgrid_signature import read_public_key


class SettingsError(Exception):
    """One sentence per wrong setting, each naming it."""


class CreditsVisibleTo(StrEnum):
    """Who sees a team's figures, besides superadmins: ADMIN means its ADMINs and OWNERs."""

    SUPERADMIN = "SUPERADMIN"
    OWNER = "OWNER"
    ADMIN = "ADMIN"


class DefaultService(StrEnum):
    """Through whom texts go out, by Spoke's names."""

    FAKESERVICE = "fakeservice"
    TWILIO = "twilio"


class LogLevel(StrEnum):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"

    @property
    def number(self) -> int:
        """As the standard library counts."""
        return logging.getLevelNamesMapping()[self]


Address = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")]


def _without_blanks(secret: SecretStr) -> SecretStr:
    """An environment often brings a line feed along with a secret; within a key, one would end up
    in an error of http.client, with the key."""
    key = secret.get_secret_value().strip()
    if re.search(r"\s", key):
        raise ValueError("must not contain blanks or line feeds")
    return SecretStr(key)


def _public_key(key: str) -> str:
    """As SendGrid shows it: in base64."""
    key = key.strip()
    try:
        read_public_key(key)
    except ValueError:
        raise ValueError(
            "is not the key that SendGrid shows for its signed event webhook"
        ) from None
    return key


class Settings(ClientSettings):
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    spoke_data_dir: Path = Field(
        Path(".data"),
        description="Folder of the embedded database, its secrets, and mail that is not sent out.",
    )
    database_url: SecretStr | None = Field(
        None,
        description="postgresql://user:password@host/database. Unset: a database of our own is "
        "started under SPOKE_DATA_DIR.",
    )
    database_direct_url: SecretStr | None = Field(
        None,
        description="The same database without a pooler in between, for what is told at once: "
        "LISTEN needs a connection of its own. Unset: DATABASE_URL.",
    )
    session_secret: SecretStr | None = Field(
        None,
        min_length=16,
        description="Signs the session cookie; the same as Spoke's beside a Spoke. Required with "
        "DATABASE_URL, otherwise made and kept under SPOKE_DATA_DIR.",
    )
    base_url: str = Field(
        "",
        pattern=r"^(https?://[^\s/]+)?$",
        description="Address by which people reach this server, without a path. https makes "
        "cookies Secure. Unset: http://HOST:PORT.",
    )
    trusted_proxies: str = Field(
        "",
        description="Comma-separated addresses or networks whose X-Forwarded-For is believed.",
    )
    spoke_version: str | None = Field(
        None, description="Sent as x-spoke-version; the same as the client's build, or unset."
    )
    spoke_client_dir: Path | None = Field(
        None,
        description="Folder of a production build of Spoke's client, which is then served: with "
        "assets/assets.json, what that names, and service-worker.js. Unset: no client is.",
    )
    spoke_upstream_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/@?#]+$",
        description="Address of a running Spoke on the same database and SESSION_SECRET, without a "
        "path: what isn't ours goes there, but nothing that sends texts. Unset: nothing does.",
    )
    spoke_upstream_timeout_seconds: float = Field(
        120, gt=0, le=3600, description="How long that Spoke may be silent before it is given up."
    )
    credits_visible_to: CreditsVisibleTo = Field(
        CreditsVisibleTo.SUPERADMIN,
        description="Who sees remaining, purchased and used credits: SUPERADMIN alone, or also "
        "a team's own OWNER, or ADMIN and OWNER.",
    )
    credits_max_per_purchase: int = Field(
        1_000_000,
        ge=1,
        le=2**31 - 1,
        description="Most credits that can be added at once: a guard against typing errors.",
    )
    low_credits_percentages: str = Field(
        "20,5",
        pattern=r"^[0-9]{1,2}(,[0-9]{1,2}){0,4}$",
        description="A team is running low when so many percent are left of what was bought since "
        "it was last empty, or at the lowest of them: one to five whole numbers, 0 for none.",
    )
    mms_credits: int = Field(
        3, ge=1, le=1000, description="What a text with media costs, whatever its length."
    )
    max_message_length: int = Field(
        1600, ge=1, le=10_000, description="Longest text that can be sent, in UTF-16 code units."
    )
    optouts_share_all_orgs: bool = Field(
        False, description="An opt-out from one team counts for all teams."
    )
    enable_monthly_org_message_limits: bool = Field(
        False, description="Refuse first texts of a team beyond its monthly_message_limit."
    )
    auto_handle_requests: bool = Field(
        False,
        description="Texters whose requests are approved automatically get texts at once, and "
        "those whose requests are refused automatically are. false: all requests wait for "
        "somebody. The same as Spoke's.",
    )
    default_service: DefaultService = Field(
        DefaultService.FAKESERVICE,
        description="fakeservice: texts are not sent out, only said to be; Twilio is asked "
        "nothing, and texts that were accepted for it wait. twilio: by the team's messaging "
        "services at Twilio. The same as Spoke's.",
    )
    twilio_host: str = Field(
        "https://api.twilio.com", pattern=r"^https?://[^\s/]+$", description="Twilio's address."
    )
    twilio_texts_per_second: float = Field(
        100, gt=0, le=10_000, description="Most texts that one worker hands to Twilio in a second."
    )
    fakeservice_failures: float = Field(
        0,
        ge=0,
        le=1,
        description="Share of texts that the service fakeservice refuses, from 0 to 1.",
    )
    sendgrid_api_key: Annotated[SecretStr, AfterValidator(_without_blanks)] | None = Field(
        None,
        description="Mail goes out by SendGrid with this key. Unset: it is written to "
        "SPOKE_DATA_DIR/outbox.",
    )
    sendgrid_host: str = Field(
        "https://api.sendgrid.com",
        pattern=r"^https?://[^\s/]+$",
        description="SendGrid's address.",
    )
    sendgrid_webhook_key: Annotated[str, AfterValidator(_public_key)] | None = Field(
        None,
        description="Verification key of SendGrid's signed event webhook, which posts to "
        "BASE_URL/sendgrid-events what became of each mail. Unset: nothing is there.",
    )
    mail_from: Address = Field(
        "spoke-credits@example.org", description="Sender address of the mail."
    )
    support_email: Address | None = Field(
        None, description="Gets the set-up mail too, and is named as whom to ask."
    )
    request_timeout_seconds: float = Field(
        30, gt=0, le=600, description="A GraphQL request that takes longer is given up."
    )
    database_pool_size: int = Field(
        10, ge=2, le=200, description="Most database connections for reads and administration."
    )
    send_pool_size: int = Field(
        4, ge=2, le=50, description="Most database connections for sending and signing in."
    )
    database_prepare: bool = Field(
        True,
        description="Keep statements prepared. false: for poolers in transaction mode that can't, "
        "such as PgBouncer before 1.22; a text then costs PostgreSQL far more.",
    )
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port of GET /metrics for Prometheus, another one for each process of a "
        "machine. Unset: there is none.",
    )
    metrics_host: str = Field(
        "127.0.0.1",
        description="Address of GET /metrics. It asks nobody who they are: keep it private.",
    )
    ledger_check_minutes: int = Field(
        60,
        ge=0,
        le=10_080,
        description="How often workers prove every balance by its ledger, reading all of it. "
        "0: never.",
    )
    max_websockets: int = Field(
        5000, ge=1, le=100_000, description="Most WebSocket connections of one server process."
    )
    log_level: LogLevel = Field(LogLevel.INFO, description="DEBUG, INFO, WARNING or ERROR.")

    @model_validator(mode="after")
    def _secret_beside_a_database(self) -> Self:
        if self.database_url and not self.session_secret:
            raise ValueError("SESSION_SECRET must be set when DATABASE_URL is")
        return self

    @model_validator(mode="after")
    def _address_for_twilio(self) -> Self:
        """The links by which Twilio reports are secrets: http is for a Twilio on this machine."""
        is_near = _is_loopback(self.twilio_host) and _is_loopback(self.address)
        is_safe = self.base_url.startswith("https://") or is_near
        if self.default_service is DefaultService.TWILIO and not is_safe:
            raise ValueError(
                "BASE_URL must be an https address when DEFAULT_SERVICE is twilio: Twilio reports "
                "there what became of texts"
            )
        return self

    @model_validator(mode="after")
    def _upstream_is_another(self) -> Self:
        """Requests would go round in a circle."""
        own = {urlsplit(self.address).netloc, f"{self.host}:{self.port}"}
        if self.spoke_upstream_url and urlsplit(self.spoke_upstream_url).netloc in own:
            raise ValueError("SPOKE_UPSTREAM_URL must be the address of Spoke, not of this server")
        return self

    @property
    def low_percentages(self) -> list[int]:
        return [int(percentage) for percentage in self.low_credits_percentages.split(",")]

    @property
    def address(self) -> str:
        return self.base_url or f"http://{self.host}:{self.port}"

    @property
    def secure_cookies(self) -> bool:
        return urlsplit(self.address).scheme == "https"


def _is_loopback(address: str) -> bool:
    return urlsplit(address).hostname in ("localhost", "127.0.0.1", "::1")


def load_settings(**overrides: object) -> Settings:
    """Reads the environment. Raises SettingsError with a sentence for each wrong value."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(e) for e in error.errors())) from None


def _sentence(error: object) -> str:
    """Names the setting and what is wrong, never the value: it may be a secret."""
    assert isinstance(error, dict)
    name = ".".join(str(part) for part in error["loc"]).upper()
    problem = error["msg"].removeprefix("Value error, ")
    return f"{name}: {problem}." if name else f"{problem}."
