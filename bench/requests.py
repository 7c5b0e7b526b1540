"""What clients ask for: texts to be sent, and the superadmin's Credits page."""

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


def credits_page(teams: int) -> Body:
    return {"operationName": "Credits", "query": _CREDITS_PAGE, "variables": {"limit": teams}}


def purchases_page(teams: int) -> Body:
    """The 20 newest purchases of each team, and who made them."""
    return {"operationName": "Purchases", "query": _PURCHASES, "variables": {"limit": teams}}
