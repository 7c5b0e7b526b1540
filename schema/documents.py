"""Documents that may be executed: parsed, validated, within limits, and remembered by their text.

Validation costs more than most requests. Only valid documents are remembered, so that nobody can
fill the memory with rubbish; a rule class is built once, or graphql-core's own cache never hits.
"""

from collections import OrderedDict
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLFormattedError,
    GraphQLSchema,
    SelectionSetNode,
    ValidationRule,
    parse,
    specified_rules,
    validate,
)
from strawberry.extensions.max_aliases import create_validator as max_aliases
from strawberry.extensions.query_depth_limiter import create_validator as max_depth

from schema.errors import PARSE_FAILED, VALIDATION_FAILED, formatted

MOST_TOKENS = 1000
MOST_REMEMBERED = 500
LIMITS = (max_depth(10, None), max_aliases(15))
"""For documents that keep the rules of GraphQL: these trip over those that don't."""


class NoEmptySelections(ValidationRule):
    """As GraphQL has always had it; graphql-core's grammar is more lenient."""

    def enter_selection_set(self, node: SelectionSetNode, *_: object) -> None:
        if not node.selections:
            self.report_error(GraphQLError("A selection is empty.", node))


RULES = (*specified_rules, NoEmptySelections)


@dataclass(frozen=True, slots=True)
class InvalidDocument(Exception):
    errors: list[GraphQLFormattedError]


class Documents:
    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._remembered: OrderedDict[str, DocumentNode] = OrderedDict()

    def get(self, text: str) -> DocumentNode:
        """Raises InvalidDocument."""
        document = self._remembered.get(text)
        if document is None:
            document = self._remembered[text] = self._checked(text)
            if len(self._remembered) > MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        else:
            self._remembered.move_to_end(text)
        return document

    def _checked(self, text: str) -> DocumentNode:
        try:
            document = parse(text, max_tokens=MOST_TOKENS)
        except GraphQLError as error:
            raise InvalidDocument(formatted([error], code=PARSE_FAILED)) from None
        for rules in (RULES, LIMITS):
            if errors := validate(self._schema, document, rules):
                raise InvalidDocument(formatted(errors, code=VALIDATION_FAILED))
        return document
