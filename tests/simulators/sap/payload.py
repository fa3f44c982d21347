"""Bodies: a confirmation as it comes in, an entity as it goes out (OData V2 JSON)."""

import datetime as dt
import json

from tests.simulators.odata import shaped
from tests.simulators.sap import fields
from tests.simulators.sap.errors import business

ITEMS = "to_ProdnOrdConfMatlDocItm"
PARSE_ERROR = "CX_SXML_PARSE_ERROR/001560AA0E081DEB8CA398CC1690D406"


def read_confirmation(body, numbers):
    """Return (properties, goods movements) of a POST body; RefusedError where a property is unknown or untypical."""
    try:
        sent = json.loads(body)
    except ValueError:
        raise business(PARSE_ERROR, "Error while parsing an XML stream") from None
    inner = sent.pop(ITEMS, [])
    rows = inner.get("results", []) if isinstance(inner, dict) else inner
    given = read_row(sent, fields.CONFIRMATION, numbers)
    return given, [read_row(row, fields.MOVEMENT, numbers) for row in rows]


def read_row(sent, kind, numbers):
    """Return the typed properties of one JSON object."""
    given = {}
    for name, value in sent.items():
        if name == "__metadata":
            continue
        if name not in kind:
            raise business("/IWBEP/CM_MGW_RT/176", f"Property '{name}' is invalid", name)
        given[name] = numbers.inside(name, _typed(name, kind[name], value))
    return given


def _typed(name, edm, value):
    try:
        return fields.read(edm, value)
    except fields.BadValueError:
        if edm == fields.DECIMAL and not isinstance(value, str):
            raise business(PARSE_ERROR, "Error while parsing an XML stream", name) from None
        raise business(
            "/IWBEP/CM_MGW_RT/177", f"Property '{name}' at offset '1' has invalid value '{value}'", name
        ) from None


def entity_json(root, entity, row, query, numbers):
    """Return one entity: metadata, properties, and its navigation either expanded or deferred."""
    uri = f"{root}/{entity.name}({_key(entity, row, numbers)})"
    kind = fields.TYPES[entity.name]
    body = {"__metadata": {"id": uri, "uri": uri, "type": f"{root.rsplit('/', 1)[-1]}.{entity.name}Type"}}
    plain = shaped(row, entity, type(query)(select=query.select))
    body |= {name: _value(kind[name], name, value, plain | row, numbers) for name, value in plain.items()}
    selected = {name.split("/")[0] for name in query.select}
    for name, (target, follow) in entity.navigation.items():
        if selected and name not in selected:
            continue
        if name in query.expand:
            inner = query.expand[name]
            body[name] = {
                "results": [entity_json(root, target, child, inner, numbers) for child in follow(row)]
            }
        else:
            body[name] = {"__deferred": {"uri": f"{uri}/{name}"}}
    return body


def _key(entity, row, numbers):
    pairs = [(key, numbers.outside(key, row[key])) for key in entity.keys]
    return f"'{pairs[0][1]}'" if len(pairs) == 1 else ",".join(f"{key}='{value}'" for key, value in pairs)


def _value(edm, name, value, row, numbers):
    if edm == fields.BYTE:
        return int(value)
    if isinstance(value, dt.datetime) and edm == fields.DATE:
        return fields.write(edm, value)
    return numbers.outside(name, fields.write(edm, value, _unit(name, row)))


def _unit(name, row):
    """A quantity has the decimals of its unit; the six activities each have a unit of their own."""
    if name.startswith("OpConfirmedWorkQuantity"):
        return row.get(f"OpWorkQuantityUnit{name[-1]}") or "MIN"
    return ""
