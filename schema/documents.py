"""Documents that may be executed: parsed, validated, within limits, and remembered by their text.

Validation costs more than most requests. Only valid documents are remembered, so that nobody can
fill the memory with rubbish; a rule class is built once, or graphql-core's own cache never hits.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

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
    SelectionNode,
    SelectionSetNode,
    ValidationContext,
    ValidationRule,
    parse,
    specified_rules,
    validate,
)

from schema.errors import PARSE_FAILED, VALIDATION_FAILED, formatted

MOST_TOKENS = 1000
MOST_REMEMBERED = 500
MOST_LEVELS = 10
MOST_ALIASES = 15


class NoEmptySelections(ValidationRule):
    """As GraphQL has always had it; graphql-core's grammar is more lenient."""

    def enter_selection_set(self, node: SelectionSetNode, *_: object) -> None:
        if not node.selections:
            self.report_error(GraphQLError("A selection is empty.", node))


class Size(NamedTuple):
    """Of what a selection asks for, with its fragments in their places."""

    levels: int
    aliases: int


class NotTooLarge(ValidationRule):
    """Each fragment is measured once: there can be more ways through a few of them than anybody
    could walk."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._fragments: dict[str, Size] = {}

    def enter_document(self, document: DocumentNode, *_: object) -> None:
        sizes = [
            self._all(definition.selection_set)
            for definition in document.definitions
            if isinstance(definition, OperationDefinitionNode)
        ]
        if max(size.levels for size in sizes) > MOST_LEVELS:
            self.report_error(GraphQLError(f"It is more than {MOST_LEVELS} levels deep."))
        if sum(size.aliases for size in sizes) > MOST_ALIASES:
            self.report_error(GraphQLError(f"It has more than {MOST_ALIASES} aliases."))

    def _all(self, selections: SelectionSetNode) -> Size:
        sizes = [self._one(selection) for selection in selections.selections]
        return Size(max(size.levels for size in sizes), sum(size.aliases for size in sizes))

    def _one(self, selection: SelectionNode) -> Size:
        match selection:
            case FieldNode():
                return self._field(selection)
            case FragmentSpreadNode():
                return self._fragment(selection.name.value)
            case InlineFragmentNode():
                return self._all(selection.selection_set)
        raise TypeError(selection.kind)

    def _field(self, field: FieldNode) -> Size:
        """What introspection asks for has no levels: it ends by itself."""
        levels, aliases = 0, int(field.alias is not None)
        if field.selection_set:
            inner = self._all(field.selection_set)
            levels = 0 if field.name.value.startswith("__") else inner.levels + 1
            aliases += inner.aliases
        return Size(levels, aliases)

    def _fragment(self, name: str) -> Size:
        if name not in self._fragments:
            fragment = self.context.get_fragment(name)
            assert fragment is not None
            self._fragments[name] = self._all(fragment.selection_set)
        return self._fragments[name]


RULES = (*specified_rules, NoEmptySelections)
LIMITS = (NotTooLarge,)
"""For documents that keep the rules of GraphQL: these trip over those that don't."""


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
                if fragment := fragments.pop(selection.name.value, None):  # once
                    yield from _fields(fragment.selection_set, fragments)
            case InlineFragmentNode():
                yield from _fields(selection.selection_set, fragments)
