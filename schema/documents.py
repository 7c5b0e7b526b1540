"""Documents that may be executed: parsed, validated, within limits, and remembered by their text.

Validation costs more than most requests. Only valid documents are remembered, so that nobody can
fill the memory with rubbish; a rule class is built once, or graphql-core's own cache never hits.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLFormattedError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
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
        self._remembered: OrderedDict[str, tuple[DocumentNode, str]] = OrderedDict()

    def get(self, text: str) -> DocumentNode:
        """Raises InvalidDocument."""
        if text in self._remembered:
            self._remembered.move_to_end(text)
        else:
            document = self._checked(text)
            self._remembered[text] = document, root_field(document)
            if len(self._remembered) > MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        return self._remembered[text][0]

    def root_field(self, text: str) -> str:
        """Of the document that `get` has just given."""
        return self._remembered[text][1]

    def _checked(self, text: str) -> DocumentNode:
        try:
            document = parse(text, max_tokens=MOST_TOKENS)
        except GraphQLError as error:
            raise InvalidDocument(formatted([error], code=PARSE_FAILED)) from None
        for rules in (RULES, LIMITS):
            if errors := validate(self._schema, document, rules):
                raise InvalidDocument(formatted(errors, code=VALIDATION_FAILED))
        return document


def root_field(document: DocumentNode) -> str:
    """The only one that a valid document asks for, or a word for several. Unlike its names, which
    clients choose, these are few."""
    fragments = {
        d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
    }
    found = {
        name
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
        for name in _fields(definition.selection_set, fragments)
    }
    ours = {name for name in found if not name.startswith("__")}
    if not ours:
        return "introspection"
    return ours.pop() if len(ours) == 1 else "several"


def _fields(
    selections: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode]
) -> Iterator[str]:
    for selection in selections.selections:
        match selection:
            case FieldNode():
                yield selection.name.value
            case FragmentSpreadNode():
                yield from _fields(fragments[selection.name.value].selection_set, fragments)
            case InlineFragmentNode():
                yield from _fields(selection.selection_set, fragments)
