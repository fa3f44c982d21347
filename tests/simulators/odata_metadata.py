"""The `$metadata` document of a simulated OData V4 service, made from its entity types.

Source: OData CSDL XML Representation 4.01 (sections 6 to 13: entity types, navigation, enumerations, containers).
"""

from xml.sax.saxutils import quoteattr

from tests.simulators.odata import EntityType, EnumType

EDMX = "http://docs.oasis-open.org/odata/ns/edmx"
EDM = "http://docs.oasis-open.org/odata/ns/edm"


def csdl(namespace: str, sets: dict[str, EntityType]) -> str:
    """Return the document: entity types, enumerations and the container's sets."""
    types = list({entity.name: entity for entity in sets.values()}.values())
    enums = {
        kind.name: kind for entity in types for kind in entity.types.values() if isinstance(kind, EnumType)
    }
    inside = [_entity_type(entity) for entity in types] + [_enum_type(enum) for enum in enums.values()]
    inside.append(_container(sets))
    schema = f"<Schema Namespace={quoteattr(namespace)} xmlns={quoteattr(EDM)}>{''.join(inside)}</Schema>"
    head = '<?xml version="1.0" encoding="utf-8"?>'
    body = f"<edmx:DataServices>{schema}</edmx:DataServices>"
    return f'{head}<edmx:Edmx Version="4.0" xmlns:edmx={quoteattr(EDMX)}>{body}</edmx:Edmx>'


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _entity_type(entity: EntityType) -> str:
    keys = "".join(f"<PropertyRef Name={quoteattr(key)}/>" for key in entity.keys)
    properties = "".join(
        f"<Property Name={quoteattr(name)} Type={quoteattr(kind.name if isinstance(kind, EnumType) else kind)}/>"
        for name, kind in entity.types.items()
    )
    leads = "".join(
        f"<NavigationProperty Name={quoteattr(name)} Type={quoteattr(f'Collection({target.name})')}/>"
        for name, (target, _) in entity.navigation.items()
    )
    return (
        f"<EntityType Name={quoteattr(_short(entity.name))}><Key>{keys}</Key>{properties}{leads}</EntityType>"
    )


def _enum_type(enum: EnumType) -> str:
    members = "".join(
        f'<Member Name={quoteattr(name)} Value="{value}"/>' for value, name in enumerate(enum.members)
    )
    return f"<EnumType Name={quoteattr(_short(enum.name))}>{members}</EnumType>"


def _container(sets: dict[str, EntityType]) -> str:
    inside = "".join(
        f"<EntitySet Name={quoteattr(name)} EntityType={quoteattr(entity.name)}/>"
        for name, entity in sets.items()
    )
    return f'<EntityContainer Name="Container">{inside}</EntityContainer>'
