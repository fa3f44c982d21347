"""Queue functions follow the host's rules for batches, retries, poison and crashes."""

import base64
import json
from datetime import datetime, timedelta

import httpx
import pytest
from azure.core.exceptions import ResourceNotFoundError
from devhost_kit import open_queue, wait_until

from devhost.azurite import Azurite


def order(**orders: object) -> str:
    return json.dumps(orders)


@pytest.fixture
def work(shared):
    """The shared devhost with nothing written down yet; a test leaves its queues empty."""
    shared.journal.path.unlink(missing_ok=True)
    yield shared
    shared.drained()


def test_a_message_arrives_with_its_metadata_and_is_deleted(work):
    work.queue.send("000123 é")
    (seen,) = work.journal.wait(1, "work", "begun")
    assert seen["body"] == "000123 é"
    assert seen["dequeue_count"] == 1
    assert seen["id"]
    assert seen["receipt"] is True
    inserted, expires = (datetime.fromisoformat(seen[name]) for name in ("inserted", "expires"))
    assert expires - inserted == timedelta(days=7)
    assert datetime.fromisoformat(seen["visible"]) > inserted
    work.drained()


def test_bytes_that_are_not_text_arrive_as_they_are(work):
    work.queue.send(bytes(range(256)))
    (seen,) = work.journal.wait(1, "work", "begun")
    assert bytes.fromhex(seen["hex"]) == bytes(range(256))


def test_a_synchronous_function_reads_its_own_queue(work, azurite):
    with open_queue(azurite.connection_string, "devhost-sync") as other:
        other.send("in a thread")
        assert work.journal.wait(1, "sync")[0]["body"] == "in a thread"
        wait_until(lambda: other.depth() == 0, "the message to be deleted")


def test_a_raising_function_is_tried_again_and_then_poisoned(work):
    work.queue.send(order(fail=True))
    tries = work.journal.wait(2, "work", "begun")
    work.drained()
    assert [each["dequeue_count"] for each in tries] == [1, 2]
    assert len({each["id"] for each in tries}) == 1
    (poisoned,) = work.poison.client.receive_messages()
    assert json.loads(base64.b64decode(poisoned.content)) == {"fail": True}
    work.poison.client.delete_message(poisoned)
    assert "RuntimeError: failing on purpose" in work.host.log()


def test_what_is_not_base64_is_poisoned_as_written_without_a_try(work):
    work.queue.send("not base64!", raw=True)
    work.drained()
    (poisoned,) = work.poison.client.receive_messages()
    assert poisoned.content == "not base64!"
    work.poison.client.delete_message(poisoned)
    assert work.journal.lines("work") == []


def test_no_more_run_at_once_than_batch_size_plus_threshold(work):
    work.queue.send(order(seconds=2))
    for _ in range(8):
        work.queue.send(order(seconds=0.3))
    work.journal.wait(9, "work", "ended")
    running, most = 0, 0
    for line in work.journal.lines("work"):
        running += 1 if line["state"] == "begun" else -1
        most = max(most, running)
    assert most == 3 + 1


def test_message_encoding_none_passes_the_text_on(start, queue, journal):
    start(AzureFunctionsJobHost__extensions__queues__messageEncoding="none")
    queue.send("plain text", raw=True)
    assert journal.wait(1, "work", "begun")[0]["body"] == "plain text"


def test_a_failed_message_hides_for_the_visibility_timeout(start, queue, poison, journal):
    host = start(AzureFunctionsJobHost__extensions__queues__visibilityTimeout="00:10:00")
    queue.send(order(fail=True))
    queue.send("the next one")
    journal.wait(1, "work", "ended")
    wait_until(lambda: queue.depth() == 1, "the good message to be deleted")
    host.stop()
    assert queue.visible() == 0
    assert len(journal.lines("work", "begun")) == 2
    with pytest.raises(ResourceNotFoundError):
        poison.depth()


def test_a_long_function_keeps_its_message_to_itself(start, queue, journal):
    start("--lease", "2")
    start("--lease", "2")
    queue.send(order(seconds=3.5))
    journal.wait(1, "work", "ended")
    wait_until(lambda: queue.depth() == 0, "the message to be deleted")
    assert len(journal.lines("work", "begun")) == 1


def test_a_stopped_host_finishes_what_it_has_begun(start, queue, journal):
    host = start()
    queue.send(order(seconds=1))
    journal.wait(1, "work", "begun")
    assert host.stop() == 0
    assert len(journal.lines("work", "ended")) == 1
    assert queue.depth() == 0


def test_a_killed_host_leaves_its_message_to_the_next(start, queue, journal):
    host = start("--lease", "2")
    queue.send(order(seconds=1))
    journal.wait(1, "work", "begun")
    host.kill()
    assert journal.lines("work", "ended") == []
    start()
    journal.wait(1, "work", "ended")
    first, second = journal.lines("work", "begun")
    assert first["id"] == second["id"]
    assert second["dequeue_count"] == 2
    wait_until(lambda: queue.depth() == 0, "the message to be deleted")


def test_a_timed_out_message_is_neither_deleted_nor_poisoned(start, queue, poison, journal):
    host = start(AzureFunctionsJobHost__functionTimeout="00:00:01")
    queue.send(order(seconds=20))
    assert httpx.get(f"{host.url}/slow?seconds=20", timeout=15).status_code == 500
    wait_until(lambda: "Functions.work ran into the function time-out" in host.log(), "the time-out")
    assert host.stop() == 0
    assert (queue.depth(), queue.visible()) == (1, 0)
    assert journal.lines("work", "ended") == []
    with pytest.raises(ResourceNotFoundError):
        poison.depth()


def test_two_hosts_share_a_queue(start, queue, journal):
    hosts = [start(), start()]
    for number in range(20):
        queue.send(order(seconds=0.1, number=number))
    ended = journal.wait(20, "work", "ended")
    assert {each["pid"] for each in ended} == {host.pid for host in hosts}
    assert len({each["id"] for each in ended}) == len(ended) == 20


def test_storage_may_come_late_go_and_come_back(start, journal, tmp_path):
    storage = Azurite(tmp_path)
    storage.start()
    storage.stop()
    host = start(AzureWebJobsStorage=storage.connection_string, WORK_QUEUE="outage")
    wait_until(lambda: "queue outage cannot be read" in host.log(), "the outage to be noticed")
    with storage, open_queue(storage.connection_string, "outage") as queue:
        queue.send("before")
        journal.wait(1, "work", "ended")
        storage.stop()
        wait_until(lambda: host.log().count("queue outage cannot be read") == 2, "the second outage")
        storage.start()
        queue.send("after")
        journal.wait(2, "work", "ended")
        assert host.stop() == 0
    assert host.log().count("queue outage cannot be read") == 2
    assert host.log().count("queue outage is being read again") == 2
