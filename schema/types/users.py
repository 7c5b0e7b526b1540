"""People and their roles."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from resolvers import assignment_requests, users
from schema.enums import RequestAutoApprove, UserRole
from schema.fields import field, plain
from schema.scalars import Phone
from schema.types.assignment_requests import AssignmentRequest
from schema.types.pages import RelayPageInfo

if TYPE_CHECKING:
    from schema.types.campaigns import Assignment
    from schema.types.organizations import Organization

LazyOrganization = Annotated["Organization", strawberry.lazy("schema.types.organizations")]
LazyAssignment = Annotated["Assignment", strawberry.lazy("schema.types.campaigns")]


@strawberry.type(description="A person. All but the name is for that person and superadmins.")
class User:
    id: strawberry.ID | None
    first_name: str | None
    last_name: str | None
    display_name: str
    email: str | None = field(users.private("email"), "Also the name to sign in with.")
    cell: str | None = field(users.private("cell"), "Their own telephone number.")
    assigned_cell: Phone | None = field(
        users.private("assigned_cell"), "The number that they text from, if it is fixed."
    )
    is_superadmin: bool = field(users.is_superadmin, "Whether they have account-wide power.")
    is_suspended: bool = field(users.private("is_suspended"), "Whether they are kept out.")
    terms: bool | None = field(users.private("terms"), "Whether they agreed to the terms.")
    notification_frequency: str = field(
        users.private("notification_frequency"), "ALL, PERIODIC, DAILY or NONE."
    )
    roles: list[UserRole] = field(
        users.roles, "Their one role in that organization, in a list; empty for outsiders."
    )
    current_request: AssignmentRequest | None = field(
        assignment_requests.current_request,
        "Their request for texts of that organization that nobody has decided yet.",
    )
    memberships: (
        Annotated["OrganizationMembershipPage", strawberry.lazy("schema.types.users")] | None
    ) = field(users.memberships, "Their memberships, by id; first: 1 to 1000.")
    organizations: list[LazyOrganization | None] | None = field(
        users.organizations, "The organizations that they are members of."
    )
    todos: list[LazyAssignment | None] | None = field(
        users.todos, "Their assignments in started campaigns of that organization."
    )


@strawberry.type(description="One person's part in one organization.")
class OrganizationMembership:
    id: strawberry.ID
    user: User = field(users.membership_user, "Whose membership this is.")
    organization: LazyOrganization = field(users.membership_organization, "In which organization.")
    role: UserRole = plain("SUPERADMIN for superadmins, whatever role is stored.")
    request_auto_approve: RequestAutoApprove = plain(
        "What happens to this person's requests for texts."
    )


@strawberry.type(description="A membership and its place in the list.")
class OrganizationMembershipEdge:
    cursor: str
    node: OrganizationMembership


@strawberry.type(description="A page of memberships.")
class OrganizationMembershipPage:
    edges: list[OrganizationMembershipEdge]
    page_info: RelayPageInfo
