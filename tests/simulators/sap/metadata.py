"""`$metadata` of a service, as EDMX: the entity types with their keys, properties and navigation."""

from xml.sax.saxutils import quoteattr

from tests.simulators.sap import fields

_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="1.0" '
    'xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx" '
    'xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
    '<edmx:DataServices m:DataServiceVersion="2.0">'
)
_LENGTHS = {"ManufacturingOrder": 12, "OrderID": 12, "LastChangeDateTime": 14, "ConfirmationGroup": 10}


def edmx(service, types, functions):
    """Return the document; `functions`: name -> (returned entity set or "", parameters name -> Edm type)."""
    body = "".join(_entity_type(service, entity) for entity in types.values())
    body += "".join(_association(service, *pair) for pair in _links(types))
    container = "".join(_entity_set(service, name) for name in types)
    container += "".join(_function(service, name, *made) for name, made in functions.items())
    return (
        f'{_HEAD}<Schema Namespace="{service}" xmlns="http://schemas.microsoft.com/ado/2008/09/edm">{body}'
        f'<EntityContainer Name="{service}_Entities" m:IsDefaultEntityContainer="true">{container}'
        "</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"
    )


def _entity_type(service, entity):
    keys = "".join(f'<PropertyRef Name="{key}"/>' for key in entity.keys)
    properties = "".join(_property(name, edm, name in entity.keys) for name, edm in entity.types.items())
    links = "".join(
        f'<NavigationProperty Name="{name}" Relationship="{service}.{name}" FromRole="From" ToRole="To"/>'
        for name in entity.navigation
    )
    return f'<EntityType Name="{entity.name}Type"><Key>{keys}</Key>{properties}{links}</EntityType>'


def _property(name, edm, key):
    facets = ' Precision="13" Scale="3"' if edm == fields.DECIMAL else ""
    if name in _LENGTHS:
        facets = f' MaxLength="{_LENGTHS[name]}"'
    return f'<Property Name={quoteattr(name)} Type="{edm}" Nullable="{str(not key).lower()}"{facets}/>'


def _links(types):
    for entity in types.values():
        for name, (target, _) in entity.navigation.items():
            yield name, entity.name, target.name


def _association(service, name, source, target):
    return (
        f'<Association Name="{name}"><End Type="{service}.{source}Type" Multiplicity="1" Role="From"/>'
        f'<End Type="{service}.{target}Type" Multiplicity="*" Role="To"/></Association>'
    )


def _entity_set(service, name):
    return f'<EntitySet Name="{name}" EntityType="{service}.{name}Type"/>'


def _function(service, name, returned, parameters):
    inner = "".join(f'<Parameter Name="{one}" Type="{edm}" Mode="In"/>' for one, edm in parameters.items())
    kind = f' ReturnType="{service}.{returned}Type" EntitySet="{returned}"' if returned else ""
    return f'<FunctionImport Name="{name}"{kind} m:HttpMethod="POST">{inner}</FunctionImport>'
