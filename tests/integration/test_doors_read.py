from tests.integration.kit import event, post, woken


async def test_fixtures(here, azurite):
    reply = await post(event("operation.started", "WO-1"))
    assert reply.body["accepted"] == 1
    assert len(woken(azurite.connection_string)) == 1
