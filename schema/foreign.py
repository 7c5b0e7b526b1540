"""Documents that aren't ours, and which of them the Spoke behind us may be handed.

One that sends texts is never handed on: Spoke would send them past the credits. It is looked for by
the fields' names, wherever in a document they stand: no fragment, alias or operation hides one.
"""

from collections import OrderedDict
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FieldsOnCorrectTypeRule,
    GraphQLError,
    GraphQLFormattedError,
    GraphQLSchema,
    KnownArgumentNamesRule,
    KnownTypeNamesRule,
    Visitor,
    parse,
    validate,
    visit,
)

from schema.documents import Documents, InvalidDocument
from schema.errors import MIXED_DOCUMENT, PARSE_FAILED, formatted

SENDING = frozenset(
    {"sendMessage", "handleConversation", "createOptOut", "tagConversation", "bulkSendMessages"}
)
"""Spoke's mutations that write an outbound message."""
OURS = frozenset(
    {
        "accountUsage",
        "addCredits",
        "allTeamCredits",
        "campaignEstimate",
        "creditContacts",
        "creditEstimate",
        "creditNotices",
        "creditPurchases",
        "creditStatus",
        "creditsEnabled",
        "creditsUsed",
        "estimateCredits",
        "isRunningLow",
        "lowCreditsThreshold",
        "purchasedCredits",
        "remainingAfter",
        "remainingCredits",
        "removeCreditPurchase",
        "runningLowMail",
        "setCreditsEnabled",
        "setLowCreditsThreshold",
        "setRunningLowMail",
        "teamCredits",
        "turningOnWouldBlock",
        "usedCredits",
    }
)
"""Names of fields about credits, which no Spoke has. Whatever asks about them has one of these."""
MIXED = "This asks for credits and for what only Spoke has: ask in two requests."
UNKNOWN_HERE = (FieldsOnCorrectTypeRule, KnownArgumentNamesRule, KnownTypeNamesRule)
MOST_TOKENS = 5000
"""Spoke's administration asks for more than texters do."""
MOST_REMEMBERED = 500
LONGEST_REMEMBERED = 20_000
"""Characters. What Spoke takes need not be valid, so anybody may write it."""


class ForeignDocuments:
    """Beside `documents`, which are ours."""

    def __init__(self, schema: GraphQLSchema, documents: Documents) -> None:
        self._schema = schema
        self._documents = documents
        self._remembered: OrderedDict[str, None] = OrderedDict()

    def has(self, text: str) -> bool:
        """Whether to hand it on; if not, it is valid here. Raises InvalidDocument for one that is
        neither ours nor may be handed on."""
        if text in self._remembered:
            self._remembered.move_to_end(text)
            return True
        try:
            self._documents.get(text)
        except InvalidDocument as invalid:
            self._require_foreign(text, invalid)
            self._remember(text)
            return True
        return False

    def _require_foreign(self, text: str, invalid: InvalidDocument) -> None:
        try:
            document = parse(text, max_tokens=MOST_TOKENS)
        except GraphQLError as error:
            raise InvalidDocument(formatted([error], code=PARSE_FAILED)) from None
        names = _field_names(document)
        if names & SENDING:
            raise invalid
        if names & OURS:
            raise self._mixed_or(invalid, document)

    def _mixed_or(self, invalid: InvalidDocument, document: DocumentNode) -> InvalidDocument:
        """What Spoke wouldn't mend is simply wrong."""
        if not validate(self._schema, document, UNKNOWN_HERE):
            return invalid
        mixed: GraphQLFormattedError = {
            "message": MIXED,
            "extensions": {"code": MIXED_DOCUMENT},
        }
        return InvalidDocument([mixed])

    def _remember(self, text: str) -> None:
        if len(text) <= LONGEST_REMEMBERED:
            self._remembered[text] = None
            if len(self._remembered) > MOST_REMEMBERED:
                self._remembered.popitem(last=False)


def _field_names(document: DocumentNode) -> set[str]:
    """Of all fields that it asks for, in whatever it defines."""
    names = set()

    class Names(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            names.add(node.name.value)

    visit(document, Names())
    return names
