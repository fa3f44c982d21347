"""Search domains: prefix notation with &, | and !, dotted paths, and the operators integrations use.

Source: odoo/osv/expression.py (17), odoo/orm/domains.py (19). Empty columns match `!=` and `not in`, and no
inequality; `like` means "contains".
"""

import re
from datetime import datetime

from tests.simulators.odoo.errors import value_error

INEQUALITIES = {
    "<": lambda have, want: have < want,
    "<=": lambda have, want: have <= want,
    ">": lambda have, want: have > want,
    ">=": lambda have, want: have >= want,
}
LIKES = ("like", "not like", "ilike", "not ilike", "=like", "=ilike")
OPERATORS = ("=", "!=", "<>", "in", "not in", "=?", *INEQUALITIES, *LIKES)
PLAIN_LEAVES = ([1, "=", 1], [0, "=", 1])


def matcher(records, model, domain):
    """Return a test over ids of `model`; a domain that makes no sense raises at once."""
    if not isinstance(domain, list | tuple):
        raise value_error(f"Domain {domain!r} is not a list")
    stack = []
    for item in reversed(domain):
        stack.append(
            _combined(item, stack, domain) if item in ("&", "|", "!") else _leaf(records, model, item)
        )
    return lambda ident: all(test(ident) for test in stack)


def _combined(operator, stack, domain):
    if len(stack) < (1 if operator == "!" else 2):
        raise value_error(f"Domain {domain} is syntactically not correct.")
    first = stack.pop()
    if operator == "!":
        return lambda ident: not first(ident)
    second = stack.pop()
    if operator == "&":
        return lambda ident: first(ident) and second(ident)
    return lambda ident: first(ident) or second(ident)


def _leaf(records, model, item):
    if not isinstance(item, list | tuple) or len(item) != 3:
        raise value_error(f"Invalid leaf {item!r}")
    path, operator, value = item
    if list(item) in PLAIN_LEAVES:
        return lambda _: path == value
    operator = str(operator).lower()
    if operator not in OPERATORS:
        raise value_error(f"Invalid operator {operator!r} in domain term {tuple(item)!r}")
    names = str(path).split(".")
    field = _end(records, model, names, item)
    holds = _comparison(records, field, "!=" if operator == "<>" else operator, value)
    return lambda ident: holds(_reached(records, model, [ident], names))


def _end(records, model, names, item):
    for step, name in enumerate(names):
        field = records.models[model].get(name)
        if field is None or (step < len(names) - 1 and not field.model):
            raise value_error(f"Invalid field {model}.{name} in leaf {tuple(item)!r}")
        model = field.model or model
    return field


def _reached(records, model, idents, names):
    """Return the values at the end of the path, over all records on the way; nothing is False."""
    field = records.models[model][names[0]]
    found = [records.value(model, ident, names[0]) for ident in idents]
    if field.kind in ("one2many", "many2many"):
        found = [one for many in found for one in many]
    if len(names) == 1:
        return found or [False]
    further = [one for one in found if one]
    return _reached(records, field.model, further, names[1:]) if further else [False]


def _comparison(records, field, operator, value):
    """Return a test over the values reached: one of them has to hold, for a negation none may."""
    if operator == "=?" and value in (None, False):
        return lambda values: True
    negative = operator in ("!=", "not in", "not like", "not ilike")
    positive = {"!=": "=", "not in": "in", "not like": "like", "not ilike": "ilike", "=?": "="}.get(
        operator, operator
    )
    holds = _positive(records, field, positive, value)
    return lambda values: any(holds(one) for one in values) != negative


def _positive(records, field, operator, value):
    by_name = field.model and isinstance(value, str)
    if operator in INEQUALITIES:
        want = typed(field, value)
        return lambda have: _present(have) and INEQUALITIES[operator](have, want)
    if operator in ("=", "in"):
        wanted = value if isinstance(value, list | tuple) else [value]
        if by_name:
            return lambda have: bool(have) and records.display_name(field.model, have) == value
        wanted = [typed(field, one) for one in wanted]
        return lambda have: (have or False) in wanted if have in (None, False, "") else have in wanted
    pattern = _pattern(operator, str(value))
    if field.model:
        return lambda have: bool(have) and bool(pattern.fullmatch(records.display_name(field.model, have)))
    return lambda have: _present(have) and bool(pattern.fullmatch(str(have)))


def _present(have):
    return have not in (None, False)


def _pattern(operator, text):
    text = text if operator.startswith("=") else f"%{text}%"
    expression = re.escape(text).replace("%", ".*").replace("_", ".")
    return re.compile(expression, re.DOTALL | (re.IGNORECASE if "ilike" in operator else 0))


def typed(field, value):
    """Return a value as the column holds it."""
    if field.kind == "datetime" and isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError as wrong:
            raise value_error(str(wrong)) from wrong
    return False if value is None else value
