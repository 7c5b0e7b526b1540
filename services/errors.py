"""Every refusal the services can give.

Each carries a `code` that clients act on and a sentence that people read. `extensions` is what a
GraphQL error shows beside the message; graphql-core copies it from the exception.
"""

from typing import Any, ClassVar


class ServiceError(Exception):
    """A refusal with a code."""

    code: ClassVar[str]
    sentence: ClassVar[str]

    def __init__(self, sentence: str | None = None, **details: Any) -> None:
        super().__init__(sentence or self.sentence)
        self.extensions: dict[str, Any] = {"code": self.code, **details}


class NotAuthenticated(ServiceError):
    code = "UNAUTHENTICATED"
    sentence = "You must login to access that resource."


class Forbidden(ServiceError):
    code = "FORBIDDEN"
    sentence = "You are not authorized to access that resource."


class InvalidInput(ServiceError):
    code = "BAD_USER_INPUT"
    sentence = "That input is not valid."


class NotFound(ServiceError):
    code = "NOT_FOUND"
    sentence = "There is no such thing."


class Refused(ServiceError):
    """A well-formed wish of somebody who may wish it, which the state of things doesn't allow."""

    code = "REFUSED"
    sentence = "That is not possible now."


class InsufficientCredits(Refused):
    """The text costs more than the team has left. The exhaustion that this opened stays."""

    code = "INSUFFICIENT_CREDITS"
    sentence = "Insufficient Credits"


class PurchaseAlreadyRemoved(Refused):
    code = "PURCHASE_ALREADY_REMOVED"
    sentence = "This credit purchase has already been removed."


class SenderSuspended(Refused):
    code = "SENDER_SUSPENDED"
    sentence = "You don't have the permission to send messages"


class MonthlyLimitExceeded(Refused):
    code = "MONTHLY_LIMIT_EXCEEDED"
    sentence = "Monthly message limit exceeded"


class AssignmentChanged(Refused):
    code = "ASSIGNMENT_CHANGED"
    sentence = "Your assignment has changed"


class AssignmentOfAnother(Forbidden):
    sentence = "You are not authorized to send a message for this assignment!"


class ContactOptedOut(Refused):
    """The contact is closed, and stays so."""

    code = "CONTACT_OPTED_OUT"
    sentence = "Skipped sending because this contact was already opted out"


class OutsideTextingHours(Refused):
    code = "OUTSIDE_TEXTING_HOURS"
    sentence = "Outside permitted texting time for this recipient"


class MessageTooLong(Refused):
    code = "MESSAGE_TOO_LONG"
    sentence = "Message was longer than the limit"


class RequestPending(Refused):
    code = "REQUEST_PENDING"
    sentence = "You have asked for texts already. Hold on, somebody will approve that."


class ProviderUnsupported(Refused):
    """Nobody here can send this contact a text: the team has no messaging service, or one at a
    provider that only Spoke speaks to."""

    code = "PROVIDER_UNSUPPORTED"
    sentence = "Texts to this contact can't be sent: there is no messaging service for them here"


class NotSupported(Refused):
    """What Spoke's API has and this server doesn't do."""

    code = "NOT_SUPPORTED"
    sentence = "Texts are sent one by one, by a person: sending in bulk is not offered"


class Conflict(Refused):
    code = "CONFLICT"
    sentence = "Somebody else is changing this right now. Please try again."


class OutcomeUnknown(ServiceError):
    """The connection broke, or time ran out, before the database said whether it committed."""

    code = "OUTCOME_UNKNOWN"
    sentence = (
        "The answer was lost: this may or may not have been done. Look before you try again, "
        "or repeat it with the same idempotency key."
    )


class ServiceUnavailable(ServiceError):
    code = "SERVICE_UNAVAILABLE"
    sentence = "The database can't be reached right now. Nothing was changed; please try again."


class UpstreamUnavailable(ServiceError):
    """What isn't ours is asked of the Spoke behind us. What is ours goes on."""

    code = "UPSTREAM_UNAVAILABLE"
    sentence = "Spoke can't be reached right now. Nothing was changed; please try again."


class WrongCredentials(Refused):
    code = "WRONG_CREDENTIALS"
    sentence = "Invalid username or password"


class AccountSuspended(Refused):
    code = "ACCOUNT_SUSPENDED"
    sentence = "Your account is suspended. Contact your administrator."
