"""The schema, put together."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.direct import resolve_directly
from schema.root import RootMutation, RootQuery, RootSubscription
from schema.scalars import SCALARS

schema = strawberry.Schema(
    query=RootQuery,
    mutation=RootMutation,
    subscription=RootSubscription,
    config=StrawberryConfig(scalar_map=SCALARS),
)
resolve_directly(schema._schema)
