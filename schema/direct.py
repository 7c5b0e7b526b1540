"""Lets graphql-core call the resolvers and read the attributes itself.

strawberry declares the schema. What it would do at run time, field by field, costs more than most
fields: graphql-core names arguments (`out_name`) and makes inputs (`out_type`) as it checks them.
"""

from collections.abc import Callable
from inspect import signature
from typing import Any, cast

from graphql import GraphQLInputObjectType, GraphQLObjectType, GraphQLSchema
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

_DECLARED = GraphQLCoreConverter.DEFINITION_BACKREF


def resolve_directly(schema: GraphQLSchema) -> None:
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType) and _DECLARED in kind.extensions:
            _resolve_fields(kind)
        elif isinstance(kind, GraphQLInputObjectType):
            _make_input(kind)


def _resolve_fields(kind: GraphQLObjectType) -> None:
    for field in kind.fields.values():
        declared = field.extensions[_DECLARED]
        if declared.is_subscription:
            field.subscribe, field.resolve = _resolver(declared), _event
        else:
            field.resolve = _resolver(declared)
        for argument in field.args.values():
            argument.out_name = argument.extensions[_DECLARED].python_name


def _event(source: Any, info: Any, **arguments: Any) -> Any:
    """What a subscription has told is what its field resolves to."""
    return source


def _resolver(declared: StrawberryField) -> Callable[..., Any]:
    """Called with the source, graphql-core's info, and the arguments by name."""
    if declared.permission_classes or declared.extensions:
        raise TypeError(f"{declared.python_name}: its permission classes or extensions won't run.")
    if declared.base_resolver is None:
        name = declared.python_name
        return lambda source, info: getattr(source, name)
    resolver: Callable[..., Any] = cast(Any, declared.base_resolver.wrapped_func)
    match list(signature(resolver).parameters)[:2]:
        case ["root", "info"]:
            return resolver
        case ["root", *_]:
            return lambda source, info, **arguments: resolver(source, **arguments)
        case _:
            return lambda source, info, **arguments: resolver(info, **arguments)


def _make_input(kind: GraphQLInputObjectType) -> None:
    made = kind.extensions[_DECLARED].origin
    kind.out_type = lambda value: made(**value)  # type: ignore[method-assign]
    for field in kind.fields.values():
        field.out_name = field.extensions[_DECLARED].python_name
