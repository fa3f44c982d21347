"""Is what a door answers what the OpenAPI document says it answers?"""

from functools import cache

from jsonschema import Draft202012Validator

from functions.http_openapi import document


@cache
def operations():
    """The documented operations by the name of their function."""
    paths = document()["paths"].values()
    return {operation["operationId"]: operation for methods in paths for operation in methods.values()}


def validator(schema):
    components = {"components": document()["components"]}
    return Draft202012Validator(schema | components, format_checker=Draft202012Validator.FORMAT_CHECKER)


@cache
def reply_validator(function, status, media_type):
    responses = operations()[function]["responses"]
    assert str(status) in responses, f"{function} answered {status}; documented: {sorted(responses)}"
    content = responses[str(status)]["content"]
    assert media_type in content, f"{function} answered {media_type}; documented: {sorted(content)}"
    return validator(content[media_type]["schema"])


@cache
def body_validator(function):
    return validator(operations()[function]["requestBody"]["content"]["application/json"]["schema"])


def check_reply(function, status, media_type, body):
    """Raise when the reply of the function called `function` is not the documented one."""
    reply_validator(function, status, media_type).validate(body)


def check_body(function, body):
    """Raise when the document would not have allowed a body that the door has taken."""
    if "requestBody" in operations()[function]:
        body_validator(function).validate(body)
