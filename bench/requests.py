"""What clients ask for: texts to be sent, the texter's todo list, the superadmin's Credits page."""

from collections.abc import Iterable
from typing import Any

Body = dict[str, Any]

_SEND = """
mutation SendMessage($message: MessageInput!, $campaignContactId: String!) {
  sendMessage(message: $message, campaignContactId: $campaignContactId) {
    id messageStatus messages { id createdAt text userId isFromContact errorCodes __typename }
    __typename
  }
}
"""
_HANDLE = """
mutation handleConversation(
  $campaignContactId: String!, $message: MessageInput,
  $questionResponses: [QuestionResponseInput], $closeConversation: Boolean
) {
  handleConversation(
    campaignContactId: $campaignContactId, message: $message,
    questionResponses: $questionResponses, closeConversation: $closeConversation
  ) {
    id assignmentId messageStatus
    messages { id createdAt text isFromContact __typename }
    optOut { id cell __typename }
    __typename
  }
}
"""
_TODOS = """
query getTodos(
  $organizationId: String!, $needsMessageFilter: ContactsFilter,
  $needsResponseFilter: ContactsFilter, $badTimezoneFilter: ContactsFilter,
  $completedConvosFilter: ContactsFilter, $pastMessagesFilter: ContactsFilter,
  $skippedMessagesFilter: ContactsFilter
) {
  currentUser {
    id email terms
    todos(organizationId: $organizationId) {
      id maxContacts
      campaign {
        id title description dueBy hasUnassignedContacts introHtml logoImageUrl primaryColor
        __typename
      }
      unmessagedCount: contactsCount(contactsFilter: $needsMessageFilter)
      unrepliedCount: contactsCount(contactsFilter: $needsResponseFilter)
      badTimezoneCount: contactsCount(contactsFilter: $badTimezoneFilter)
      completedConvosCount: contactsCount(contactsFilter: $completedConvosFilter)
      pastMessagesCount: contactsCount(contactsFilter: $pastMessagesFilter)
      skippedMessagesCount: contactsCount(contactsFilter: $skippedMessagesFilter)
      __typename
    }
    __typename
  }
}
"""
_CREDITS_PAGE = """
query Credits($limit: Int!) {
  teams(limit: $limit) {
    teams {
      id name creditsEnabled creditStatus
      remainingCredits purchasedCredits usedCredits turningOnWouldBlock
    }
    pageInfo { limit offset total next previous }
  }
}
"""
_PURCHASES = """
query Purchases($limit: Int!) {
  teams(limit: $limit) {
    teams {
      id name
      creditPurchases(limit: 20) {
        id amount note createdAt purchasedByName removedAt purchasedBy { id displayName }
      }
    }
  }
}
"""


def sends(contact_ids: Iterable[int], *, assignment_id: int = 1) -> list[Body]:
    """One text to each contact."""
    return [
        {
            "operationName": "SendMessage",
            "query": _SEND,
            "variables": {
                "campaignContactId": str(contact_id),
                "message": {
                    "text": f"Hi {contact_id}, will you come?",
                    "assignmentId": str(assignment_id),
                },
            },
        }
        for contact_id in contact_ids
    ]


def handles(contact_ids: Iterable[int], *, answer: tuple[int, str] | None = None) -> list[Body]:
    """The same text by `handleConversation`, as the texter's page sends it: perhaps with an answer,
    the step asked and its value."""
    answers = [{"interactionStepId": str(answer[0]), "value": answer[1]}] if answer else []
    return [
        {
            "operationName": "handleConversation",
            "query": _HANDLE,
            "variables": {
                **body["variables"],
                "questionResponses": [
                    {**one, "campaignContactId": body["variables"]["campaignContactId"]}
                    for one in answers
                ],
                "closeConversation": False,
            },
        }
        for body in sends(contact_ids)
    ]


def todo_list(team_id: int) -> Body:
    now = {"isOptedOut": False, "validTimezone": True}
    waiting = {"isOptedOut": False, "messageStatus": "needsMessageOrResponse"}
    return {
        "operationName": "getTodos",
        "query": _TODOS,
        "variables": {
            "organizationId": str(team_id),
            "needsMessageFilter": {**now, "messageStatus": "needsMessage"},
            "needsResponseFilter": {**now, "messageStatus": "needsResponse"},
            "badTimezoneFilter": {**waiting, "validTimezone": False},
            "completedConvosFilter": {**now, "messageStatus": "closed"},
            "pastMessagesFilter": {**now, "messageStatus": "convo"},
            "skippedMessagesFilter": {**now, "messageStatus": "closed"},
        },
    }


def credits_page(teams: int) -> Body:
    return {"operationName": "Credits", "query": _CREDITS_PAGE, "variables": {"limit": teams}}


def purchases_page(teams: int) -> Body:
    """The 20 newest purchases of each team, and who made them."""
    return {"operationName": "Purchases", "query": _PURCHASES, "variables": {"limit": teams}}
