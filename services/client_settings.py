"""What Spoke's client is told of the installation that it runs on, by Spoke's own names."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ClientSettings(BaseSettings):
    """Names, kinds and meanings are Spoke's, and so are defaults, but that people sign in here."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    passport_strategy: Literal["local", "auth0", "slack"] = Field(
        "local",
        description="Client: how people sign in. auth0 and slack need SPOKE_UPSTREAM_URL.",
    )
    auth0_domain: str | None = Field(None, description="Client: of the account at Auth0.")
    auth0_client_id: str | None = Field(None, description="Client: of the account at Auth0.")
    alternate_login_url: str | None = Field(
        None, description="Client: where the home page's link to sign in leads."
    )
    suppress_self_invite: bool = Field(
        True, description="Client: nobody makes an organization without an invite."
    )
    terms_require: bool = Field(
        False, description="Client: texters agree to the terms before they text."
    )
    tz: str = Field("America/New_York", description="Client: the time zone of the installation.")
    phone_number_country: str = Field(
        "US", description="Client: country by whose rules phone numbers are shown."
    )
    send_delay: int = Field(
        100, ge=0, description="Client: milliseconds between one text and the next."
    )
    allow_send_all: bool = Field(
        False, description="Client: offers to send to all at once, which is refused here."
    )
    assignment_show_requests_available: bool = Field(
        False, description="Client: shows where texts can be asked for."
    )
    disable_assignment_page: bool = Field(
        False, description="Client: hides the admins' page of assignments."
    )
    disable_sidebar_badges: bool = Field(
        False, description="Client: hides the counts in the admins' side bar."
    )
    enable_autosending: bool = Field(False, description="Client: shows Spoke's autosending.")
    enable_campaign_groups: bool = Field(False, description="Client: shows groups of campaigns.")
    enable_shortlink_domains: bool = Field(
        False,
        description="Texts that link by one of the team's link domains go out with the one whose "
        "turn it is. The same as Spoke's. Client: shows link domains.",
    )
    enable_trollbot: bool = Field(False, description="Client: shows alarms about texters.")
    experimental_van_sync: bool = Field(
        False, description="Client: shows the synchronization with VAN."
    )
