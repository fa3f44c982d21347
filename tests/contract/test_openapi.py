"""The OpenAPI document is valid, names every HTTP function, and describes what doors really answer.

That real replies are the documented ones is checked at every call of the integration tests (tests/integration/kit.py).
"""

import pytest
from jsonschema import ValidationError
from openapi_spec_validator import validate

import function_app
from functions.http_openapi import document
from tests.contract.conformity import check_body, check_reply


def http_functions():
    for function in function_app.app.get_functions():
        trigger = function.get_trigger().get_dict_repr()
        if trigger["type"] == "httpTrigger":
            for method in trigger["methods"]:
                yield function.get_function_name(), f"/{trigger['route']}", method.value.lower()


def test_the_document_is_valid():
    validate(document())


def test_every_http_function_is_in_it_and_nothing_else():
    stated = {
        (operation["operationId"], path, method)
        for path, operations in document()["paths"].items()
        for method, operation in operations.items()
    }
    assert stated == set(http_functions())


def test_only_health_can_be_asked_without_a_key():
    anonymous = [
        path
        for path, operations in document()["paths"].items()
        for operation in operations.values()
        if operation.get("security") == []
    ]
    assert anonymous == ["/api/v1/health/live", "/api/v1/health/ready"]


def test_every_parameter_of_a_path_is_described():
    for path, operations in document()["paths"].items():
        for operation in operations.values():
            stated = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
            assert all(f"{{{name}}}" in path for name in stated)
            assert len(stated) == path.count("{")


def test_lists_name_the_valid_values_of_their_filters():
    operation = document()["paths"]["/api/v1/messages"]["get"]
    (state,) = [each for each in operation["parameters"] if each["name"] == "state"]
    shape = state["schema"]["$ref"].rpartition("/")[2]
    assert "parked" in document()["components"]["schemas"][shape]["enum"]


@pytest.mark.parametrize(
    ("function", "status", "media_type", "body"),
    [
        ("health_live", 200, "application/json", {"status": "asleep"}),
        ("list_orders", 200, "application/json", {"items": [{"number": "A"}], "next": None}),
        ("list_orders", 422, "application/problem+json", {"title": "no"}),
    ],
)
def test_a_reply_that_is_not_the_documented_one_is_noticed(function, status, media_type, body):
    with pytest.raises(ValidationError):
        check_reply(function, status, media_type, body)


def test_a_status_nobody_documented_is_noticed():
    with pytest.raises(AssertionError, match="answered 500"):
        check_reply("list_orders", 500, "application/json", {})


def test_a_body_the_document_forbids_is_noticed():
    with pytest.raises(ValidationError):
        check_body("dismiss_message", {"actor": "Ada"})
