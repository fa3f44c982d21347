"""Expressions of the profile language: JMESPath with our conversions, compiled when a profile loads.

A text that starts with `=` is an expression over the facts, one that starts with `~` a template, in which `{...}`
holds an expression; any other text is itself. JMESPath's own interpreter walks the tree with a method call per node; a
pull of 10,000 orders evaluates a million paths, so the plain ones (paths, literals, conversions, logic) become
closures here and the rest stays with the library. A test holds both to the same answers.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import jmespath
from jmespath import exceptions as jmespath_exceptions
from jmespath import functions as jmespath_functions
from jmespath import visitor

from shared.errors import MappingError
from shared.mapping.conversions import CONVERSIONS, NO_TABLES, Tables, decimal, json_text, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from shared.mapping.conversions import Raw

    type Node = dict[str, Any]
    type Evaluate = Callable[[Any, Tables], Any]

FLOAT_DIGITS = 15
"""How many digits of any number a float keeps."""
MARK = "="
TEMPLATE_MARK = "~"
OPTIONAL = "?"
EACH = frozenset({"for_each", "make"})
AS_JSON = frozenset({"as_json"})
TAKE_IN = "..."
HOLE = re.compile(r"\{([^{}]*)\}")
BRACE = re.compile(r"[{}]")
BRACES = "a hole is `{expression}`, and text with braces of its own is an expression: `=concat('{', x, '}')`"
RELATIVE_RIGHT = frozenset(
    {
        "subexpression",
        "index_expression",
        "projection",
        "filter_projection",
        "value_projection",
        "flatten",
        "pipe",
    }
)
"""Node types whose right-hand sides see what the left-hand side found, not the facts."""
DOUBTING = frozenset({"or_expression", "and_expression", "not_expression"})
DOUBTING_CALLS = frozenset({"default", "not_null", "null_if", "has"})
LIBRARY: Mapping[str, Any] = jmespath_functions.Functions.FUNCTION_TABLE
FAULTS = (
    jmespath_exceptions.JMESPathError,
    TypeError,
    ValueError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
)
"""What a value that nobody thought of raises in JMESPath, in its functions and in our conversions."""


class Reads(NamedTuple):
    """What an expression draws on: facts by name, functions by name.

    `fields`: (fact, field), the field "" where the fact is read as a whole; `doubted`: those of them that may be
    missing, because it is said what happens then; `named`: (function, name) of calls whose first argument is a text
    as it stands, such as the name of a table; `hidden`: what is read like a fact's field where facts cannot be seen.
    """

    roots: frozenset[str]
    functions: frozenset[str]
    fields: frozenset[tuple[str, str]]
    doubted: frozenset[tuple[str, str]]
    named: frozenset[tuple[str, str]]
    hidden: frozenset[tuple[str, str]]


class Expression:
    """One compiled expression; `reads` is what it draws on."""

    __slots__ = ("_evaluate", "reads", "source")

    def __init__(self, source: str) -> None:
        """Compile `source` (without its mark).

        Raises:
            ValueError: it is not JMESPath, or calls an unknown function or a known one wrongly.
        """
        self.source = source
        try:
            tree = _parse(source)
            self.reads = _reads(tree)
            self._evaluate = _compile(tree)
        except RecursionError:
            raise ValueError("nested too deeply to be worked out") from None

    def __call__(self, facts: Raw, tables: Tables = NO_TABLES) -> Raw:
        """Return what the expression finds in `facts`, null where there is nothing.

        Raises:
            MappingError: a conversion refused a value.
        """
        try:
            return self._evaluate(facts, tables)
        except MappingError:
            raise
        except FAULTS as error:
            raise MappingError(f"{self.source}: {error}") from error

    @property
    def roots(self) -> frozenset[str]:
        """The facts it reads."""
        return self.reads.roots

    @property
    def evaluate(self) -> Evaluate:
        """What finds, without the translation of errors."""
        return self._evaluate

    def holds(self, facts: Raw, tables: Tables = NO_TABLES) -> bool:
        """Tell whether the expression is true; empty text, list and object, null and false are not."""
        return not _is_empty(self(facts, tables))

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"


class Value:
    """A literal or nested structure in which texts may be expressions (`=`) or templates (`~`).

    A mark alone is itself. An object's key that ends in `?` is left out where its value is null.
    `{for_each: list, make: value}` is a list, `{as_json: value}` is text. A key that begins with `~` is a template, and
    the key `...` takes in another object, whose keys those after it replace.
    """

    __slots__ = ("_build", "expressions", "source")

    def __init__(self, source: Raw) -> None:
        """Compile `source`.

        Raises:
            ValueError: a text in it is not the expression or template it begins like.
        """
        self.source = source
        self.expressions: list[Reads] = []
        self._build = self._compiled(source)

    def __call__(self, facts: Raw, tables: Tables = NO_TABLES) -> Raw:
        """Return the structure with every expression replaced by what it finds in `facts`."""
        return self._build(facts, tables)

    @property
    def evaluate(self) -> Evaluate:
        """What `value(...)` calls, without the calls in between: for those who read by the hundred thousand.

        It raises whatever JMESPath or a conversion does; `value(...)` says it in one error.
        """
        return self._build.evaluate if isinstance(self._build, Expression) else self._build

    def _compiled(self, source: Raw) -> Evaluate:
        if isinstance(source, str):
            return self._text(source)
        if isinstance(source, list):
            return _list([self._compiled(part) for part in source])
        if not isinstance(source, dict):
            return lambda _facts, _tables: source
        if source.keys() == EACH:
            return self._each(source)
        if source.keys() == AS_JSON:
            inner = self._compiled(source["as_json"])
            return lambda facts, tables: json_text(inner(facts, tables))
        return _object([(self._key(str(key)), self._held(str(key), part)) for key, part in source.items()])

    def _held(self, key: str, part: Raw) -> Evaluate:
        """Return what `key` holds; what it reads may be missing where the key is left out then."""
        before = len(self.expressions)
        held = self._compiled(part)
        if _is_special(key):
            found = self.expressions[before:]
            self.expressions[before:] = [reads._replace(doubted=reads.fields) for reads in found]
        return held

    def _key(self, key: str) -> str | Template:
        """Return a key, or the template it begins like; a `?` at its end stays in both."""
        if not key.startswith(TEMPLATE_MARK) or key == TEMPLATE_MARK:
            return key
        template = Template(key[len(TEMPLATE_MARK) :])
        self.expressions += [hole.reads for hole in template.expressions]
        return template

    def _text(self, source: str) -> Evaluate:
        if source in {MARK, TEMPLATE_MARK}:
            return lambda _facts, _tables: source
        if source.startswith(MARK):
            expression = Expression(source[len(MARK) :])
            self.expressions.append(expression.reads)
            return expression
        if source.startswith(TEMPLATE_MARK):
            template = Template(source[len(TEMPLATE_MARK) :])
            self.expressions += [hole.reads for hole in template.expressions]
            return template
        return lambda _facts, _tables: source

    def _each(self, source: dict[str, Any]) -> Evaluate:
        over, made = Value(source["for_each"]), Value(source["make"])
        self.expressions += [reads._replace(doubted=reads.fields) for reads in over.expressions]
        self.expressions += [reads._replace(roots=reads.roots - {"item"}) for reads in made.expressions]

        def build(facts: Raw, tables: Tables) -> list[Any]:
            items = over(facts, tables) or []
            if not isinstance(items, list):
                raise MappingError(f"for_each: {over.source!r} is not a list")
            return [made({**facts, "item": item}, tables) for item in items]

        return build

    def __repr__(self) -> str:
        return f"Value({self.source!r})"


class Template:
    """Text with holes: `/orders/{order.number}`. A hole that finds nothing is refused, never left blank."""

    __slots__ = ("_parts", "expressions", "source")

    def __init__(self, source: str) -> None:
        """Compile `source`.

        Raises:
            ValueError: a hole is no expression, or a brace neither opens nor closes one.
        """
        self.source = source
        pieces = HOLE.split(source)
        for piece in pieces[::2]:
            if BRACE.search(piece):
                raise ValueError(f"{source!r} has a brace that is no hole's; {BRACES}")
        self.expressions = [Expression(piece) for piece in pieces[1::2]]
        self._parts: list[str | Expression] = [*pieces]
        self._parts[1::2] = self.expressions

    def __call__(self, facts: Raw, tables: Tables = NO_TABLES, quote: Callable[[str], str] = str) -> str:
        """Return the text with its holes filled, each through `quote`."""
        if not self.expressions:
            return self.source
        return "".join(
            part if isinstance(part, str) else quote(self._fill(part, facts, tables)) for part in self._parts
        )

    def _fill(self, hole: Expression, facts: Raw, tables: Tables) -> str:
        found = text(hole(facts, tables))
        if found is None:
            raise MappingError(f"{self.source}: {{{hole.source}}} finds nothing")
        return found

    def __repr__(self) -> str:
        return f"Template({self.source!r})"


def _object(parts: list[tuple[str | Template, Evaluate]]) -> Evaluate:
    plain = [(key, build) for key, build in parts if isinstance(key, str) and not _is_special(key)]
    if len(plain) == len(parts):
        return lambda facts, tables: {key: build(facts, tables) for key, build in plain}
    fillers = [_filler(key, build) for key, build in parts]

    def build_object(facts: Raw, tables: Tables) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for fill in fillers:
            fill(built, facts, tables)
        return built

    return build_object


def _is_special(key: str) -> bool:
    return key.endswith(OPTIONAL) or key == TAKE_IN


def _filler(key: str | Template, build: Evaluate) -> Callable[[dict[str, Any], Any, Tables], None]:
    """Return what puts one key's value into an object."""

    def named(built: dict[str, Any], facts: Raw, tables: Tables) -> None:
        _put(built, key(facts, tables) if isinstance(key, Template) else key, build(facts, tables))

    def taken_in(built: dict[str, Any], facts: Raw, tables: Tables) -> None:
        value = build(facts, tables)
        if value is not None and not isinstance(value, dict):
            raise MappingError(f"`{TAKE_IN}` takes in an object, not {value!r}")
        built.update(value or {})

    return taken_in if key == TAKE_IN else named


def _put(built: dict[str, Any], key: str, value: Raw) -> None:
    if not key.endswith(OPTIONAL):
        built[key] = value
    elif value is not None:
        built[key.removesuffix(OPTIONAL)] = value


def _list(parts: list[Evaluate]) -> Evaluate:
    return lambda facts, tables: [build(facts, tables) for build in parts]


def _parse(source: str) -> Node:
    try:
        tree: Node = _with_exact_literals({**jmespath.compile(source).parsed})
    except jmespath_exceptions.JMESPathError as error:
        raise ValueError(f"not a JMESPath expression: {str(error).splitlines()[0]}") from error
    if any(_negates_half(node) for node in _nodes(tree)):
        raise ValueError("`!a.b` means `(!a).b` to JMESPath; write `!(a.b)`")
    for node in _calls(tree):
        _check_call(node["value"], len(node["children"]))
    return tree


def _with_exact_literals(node: Node) -> Node:
    """Return a copy of the tree in which fractions are Decimals: the library reads them as floats, and 0.1 is none."""
    if node["type"] == "literal":
        return {**node, "value": _exact(node["value"])}
    children = [
        _with_exact_literals(child) if isinstance(child, dict) else child for child in node["children"]
    ]
    return {**node, "children": children}


def _exact(literal: Raw) -> Raw:
    """Return what a literal says, its fractions exact.

    Raises:
        ValueError: a fraction has more digits than a float tells apart, so that it is lost already, or is none.
    """
    if isinstance(literal, list):
        return [_exact(part) for part in literal]
    if isinstance(literal, dict):
        return {key: _exact(part) for key, part in literal.items()}
    if not isinstance(literal, float):
        return literal
    try:
        number = decimal(repr(literal))
    except MappingError:
        number = None
    if number is None or len(number.normalize().as_tuple().digits) > FLOAT_DIGITS:
        raise ValueError(f"the number {literal} cannot be kept exactly; write decimal('…')")
    return number


def _negates_half(node: Node) -> bool:
    return node["type"] in RELATIVE_RIGHT - {"pipe"} and node["children"][0]["type"] == "not_expression"


def _check_call(name: str, given: int) -> None:
    if name not in CONVERSIONS and name not in LIBRARY:
        valid = sorted({*CONVERSIONS, *LIBRARY})
        raise ValueError(f"unknown function {name}(); valid: {', '.join(valid)}")
    least, most = _arguments(name)
    if not least <= given <= (most or given):
        takes = f"{least} to {most}" if most else f"{least} or more"
        raise ValueError(f"{name}() takes {takes} arguments, not {given}")


def _arguments(name: str) -> tuple[int, int | None]:
    """Return how many arguments a function takes, least and most; None = as many as are given."""
    if name in CONVERSIONS:
        return CONVERSIONS[name].least, CONVERSIONS[name].most
    signature = LIBRARY[name]["signature"]
    endless = bool(signature) and signature[-1].get("variadic", False)
    return len(signature), None if endless else len(signature)


def _nodes(tree: Raw) -> Iterator[Node]:
    if isinstance(tree, dict):
        yield tree
        for child in tree.get("children", ()):
            yield from _nodes(child)


def _calls(tree: Node) -> Iterator[Node]:
    return (node for node in _nodes(tree) if node["type"] == "function_expression")


def _reads(tree: Node) -> Reads:
    return Reads(
        roots=frozenset(_roots(tree)),
        functions=frozenset(node["value"] for node in _calls(tree)),
        fields=frozenset(_fields_of_facts(tree)),
        doubted=frozenset(_doubted(tree)),
        named=frozenset(_named(tree)),
        hidden=frozenset(_hidden(tree)),
    )


def _over_facts(tree: Raw) -> Sequence[Any]:
    """Return the parts of `tree` that see the same facts as itself."""
    children: Sequence[Any] = tree.get("children", ())
    return children[:1] if tree["type"] in RELATIVE_RIGHT else children


def _roots(tree: Raw) -> Iterator[str]:
    """Yield the names of the facts that `tree` reads from the top."""
    if not isinstance(tree, dict) or tree["type"] == "expref":
        return
    if tree["type"] == "field":
        yield tree["value"]
    for child in _over_facts(tree):
        yield from _roots(child)


def _fields_of_facts(tree: Raw) -> Iterator[tuple[str, str]]:
    """Yield (fact, field) for every `fact.field` that `tree` reads from the top, (fact, "") for a fact as a whole."""
    if not isinstance(tree, dict) or tree["type"] == "expref":
        return
    children = tree.get("children", ())
    if tree["type"] == "subexpression" and children[0]["type"] == "field":
        yield children[0]["value"], _first_field(children[1])
        return
    if tree["type"] == "field":
        yield tree["value"], ""
    for child in _over_facts(tree):
        yield from _fields_of_facts(child)


def _doubted(tree: Raw) -> Iterator[tuple[str, str]]:
    """Yield what `_fields_of_facts` does, where the expression says what happens without it."""
    if not isinstance(tree, dict) or tree["type"] == "expref":
        return
    if _is_doubting(tree):
        yield from _fields_of_facts(tree)
    else:
        for child in _over_facts(tree):
            yield from _doubted(child)


def _hidden(tree: Node) -> Iterator[tuple[str, str]]:
    """Yield (name, field) for every `name.field` that is read from an element, or from what was found before."""
    for node in _nodes(tree):
        children = node.get("children", ())
        if node["type"] == "expref":
            yield from _fields_of_facts(children[0])
        for child in children[1:] if node["type"] in RELATIVE_RIGHT else ():
            yield from _fields_of_facts(child)


def _is_doubting(node: Node) -> bool:
    """Tell whether a node takes a null as well as a value: logic, `default()` and the like, `[a, b][?@]`."""
    if node["type"] == "function_expression":
        return node["value"] in DOUBTING_CALLS
    chosen = node["type"] == "filter_projection" and node["children"][0]["type"] == "multi_select_list"
    return chosen or node["type"] in DOUBTING


def _first_field(tree: Node) -> str:
    """Return the field that `tree` begins with: `lots` of `lots[0].id`; "" where it begins with none."""
    while tree["type"] in RELATIVE_RIGHT - {"pipe"}:
        tree = tree["children"][0]
    return str(tree["value"]) if tree["type"] == "field" else ""


def _named(tree: Node) -> Iterator[tuple[str, str]]:
    """Yield (function, text) for every call whose first argument is a text as it stands."""
    for node in _calls(tree):
        first = next(iter(node["children"]), None)
        if first is not None and first["type"] == "literal" and isinstance(first["value"], str):
            yield node["value"], first["value"]


def _compile(node: Node) -> Evaluate:
    make = _COMPILERS.get(node["type"])
    return _interpreted(node) if make is None else make(node)


def _interpreted(node: Node) -> Evaluate:
    def interpret(facts: Raw, tables: Tables) -> Raw:
        options = visitor.Options(custom_functions=_LibraryFunctions(tables))
        return visitor.TreeInterpreter(options).visit(node, facts)  # type: ignore[arg-type]  # a parsed tree

    return interpret


def _field(node: Node) -> Evaluate:
    name = node["value"]
    return lambda facts, _tables: facts.get(name) if isinstance(facts, dict) else None


def _literal(node: Node) -> Evaluate:
    value = node["value"]
    return lambda _facts, _tables: value


def _path(node: Node) -> Evaluate:
    children = node["children"]
    if all(child["type"] == "field" for child in children):
        return _fields([child["value"] for child in children])
    steps = [_compile(child) for child in children]

    def walk(facts: Raw, tables: Tables) -> Raw:
        for step in steps:
            facts = step(facts, tables)
        return facts

    return walk


def _fields(names: list[str]) -> Evaluate:
    def walk(facts: Raw, _tables: Tables) -> Raw:
        for name in names:
            facts = facts.get(name) if isinstance(facts, dict) else None
        return facts

    return walk


def _either(node: Node) -> Evaluate:
    left, right = (_compile(child) for child in node["children"])

    def either(facts: Raw, tables: Tables) -> Raw:
        found = left(facts, tables)
        return right(facts, tables) if _is_empty(found) else found

    return either


def _both(node: Node) -> Evaluate:
    left, right = (_compile(child) for child in node["children"])

    def both(facts: Raw, tables: Tables) -> Raw:
        found = left(facts, tables)
        return found if _is_empty(found) else right(facts, tables)

    return both


def _not(node: Node) -> Evaluate:
    inner = _compile(node["children"][0])
    return lambda facts, tables: _is_empty(inner(facts, tables))


def _comparison(node: Node) -> Evaluate:
    wanted = {"eq": True, "ne": False}.get(node["value"])
    if wanted is None:
        return _interpreted(node)
    left, right = (_compile(child) for child in node["children"])
    return lambda facts, tables: _equal(left(facts, tables), right(facts, tables)) is wanted


def _equal(one: Raw, other: Raw) -> bool:
    """JMESPath's own idea of equal: 1 is not true."""
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _element(node: Node) -> Evaluate:
    place = node["value"]

    def element(facts: Raw, _tables: Tables) -> Raw:
        if not isinstance(facts, list) or not -len(facts) <= place < len(facts):
            return None
        return facts[place]

    return element


def _first_given(node: Node) -> Evaluate:
    arguments = [_compile(child) for child in node["children"]]

    def first_given(facts: Raw, tables: Tables) -> Raw:
        for argument in arguments:
            found = argument(facts, tables)
            if found is not None:
                return found
        return None

    return first_given


def _call(node: Node) -> Evaluate:
    conversion = CONVERSIONS.get(node["value"])
    if conversion is None:
        return _first_given(node) if node["value"] == "not_null" and node["children"] else _interpreted(node)
    convert = conversion.function
    arguments = [_compile(child) for child in node["children"]]
    if conversion.reads_tables:
        return lambda facts, tables: convert(tables, *[argument(facts, tables) for argument in arguments])
    if len(arguments) == 1:
        only = arguments[0]
        return lambda facts, tables: convert(only(facts, tables))
    return lambda facts, tables: convert(*[argument(facts, tables) for argument in arguments])


_COMPILERS: Mapping[str, Callable[[Node], Evaluate]] = {
    "field": _field,
    "literal": _literal,
    "subexpression": _path,
    "index_expression": _path,
    "index": _element,
    "pipe": _path,
    "or_expression": _either,
    "and_expression": _both,
    "not_expression": _not,
    "comparator": _comparison,
    "function_expression": _call,
}


def _is_empty(value: Raw) -> bool:
    """JMESPath's own idea of false: zero is a value."""
    return value is None or value is False or (isinstance(value, str | list | dict) and not value)


_takes_anything = jmespath_functions.signature({"types": []})


class _LibraryFunctions(jmespath_functions.Functions):
    """JMESPath's functions plus our conversions, for trees the library interprets; a Decimal is a number."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Raw:
        conversion = CONVERSIONS.get(function_name)
        if conversion is None:
            return super().call_function(function_name, resolved_args)
        context = (self._tables,) if conversion.reads_tables else ()
        return conversion.function(*context, *resolved_args)

    @_takes_anything
    def _func_to_number(self, arg: Raw) -> Raw:
        return _number_in(arg)

    @_takes_anything
    def _func_to_string(self, arg: Raw) -> Raw:
        return text(arg) if isinstance(arg, Decimal) else super()._func_to_string(arg)  # type: ignore[misc]  # not in the stubs

    @_takes_anything
    def _func_type(self, arg: Raw) -> Raw:
        return super()._func_type(_as_number(arg))  # type: ignore[misc]  # not in the stubs

    def _convert_to_jmespath_type(self, pyobject: str) -> Raw:
        """Name the type of what an `&expression` finds: `sort_by`, `max_by` and `min_by` ask."""
        name = super()._convert_to_jmespath_type  # type: ignore[misc]  # not in the stubs
        return name("int" if pyobject == Decimal.__name__ else pyobject)

    def _type_check_single(self, current: Raw, types: Raw, function_name: str) -> None:
        check = super()._type_check_single  # type: ignore[misc]  # not in the stubs
        check(_as_number(current), types, function_name)


def _as_number(value: Raw) -> Raw:
    """Return `value` with Decimals as whole numbers: the library knows its types by name and not this one."""
    if isinstance(value, Decimal):
        return 0
    if isinstance(value, list):  # it looks into lists, but not into lists of lists
        return [0 if isinstance(part, Decimal) else part for part in value]
    return value


def _number_in(value: Raw) -> Raw:
    """Return the number that JMESPath's `to_number` finds, a fraction exact; null in what is none."""
    if isinstance(value, int | Decimal):
        return None if isinstance(value, bool) else value
    try:
        number = decimal(value)
    except MappingError:
        return None
    if number is None:
        return None
    return int(number) if number.as_tuple().exponent == 0 else number
