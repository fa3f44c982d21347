"""A plant and a floor that keep every reply whole: the engine's evidence is cut, and what is cut cannot be replayed."""

from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

import httpx

from shared.erp.engine import build
from tests.profiles.floor import Floor
from tests.profiles.plant import Plant
from tests.profiles.replies import body, digits_aside
from tests.profiles.steady import SHIFT

OF_THE_WIRE = {"connection", "content-encoding", "content-length", "date", "server", "transfer-encoding"}
SECRET = {"set-cookie", "x-csrf-token"}
LONGEST_REQUEST = 2000  # characters; the engine's evidence ends there too


class Listening(httpx.AsyncBaseTransport):
    """The network, and what came from it."""

    def __init__(self):
        self._network = httpx.AsyncHTTPTransport()
        self.heard = []

    async def handle_async_request(self, request):
        reply = await self._network.handle_async_request(request)
        await reply.aread()
        self.heard.append((request.method, _place(str(request.url)), reply))
        headers = [pair for pair in reply.headers.multi_items() if pair[0] not in OF_THE_WIRE]
        return httpx.Response(reply.status_code, headers=headers, content=reply.content)

    async def aclose(self):
        await self._network.aclose()

    def reply_to(self, exchange):
        """Return the reply that `exchange` is the evidence of, and forget what was heard up to it."""
        asked = exchange.method, _place(exchange.url), exchange.status
        while self.heard:
            method, place, reply = self.heard.pop(0)
            if (method, place, reply.status_code) == asked:
                return reply
        raise LookupError(f"nobody heard {asked}")


def _place(url):
    _, _, path, query, _ = urlsplit(url)
    return unquote(path), unquote(query)


class ListeningPlant(Plant):
    """A plant whose replies are heard."""

    def connect(self, **patience):
        self.network = Listening()

        async def resolve(name):
            return self.secrets[name]

        given = self.subject.settings(self.simulator) | {name: name for name in self.secrets}
        profile = self.subject.loaded(**patience)
        erp = build(profile, given, resolve, lambda: datetime.now(UTC), self.network)
        self._connections.append(erp)
        return erp


class ListeningFloor(Floor):
    """A floor that notes down every exchange it causes."""

    def __init__(self, plant, erp, order):
        super().__init__(plant, erp, order)
        self.now = SHIFT
        self.examples = []

    async def _to_the_end(self, plan, told):
        self._calls, before = [], len(told.warnings)
        end = await super()._to_the_end(plan, told)
        if end.finished:
            message = plan.message
            said = {"id": message.message_id, "operation": message.operation_id, "body": dict(message.body)}
            captured = dict(end.progress.captured)
            self.examples.append(
                {"kind": str(message.kind), "order": self.order.number, "message": said}
                | {"calls": self._calls, "captured": captured, "warnings": told.warnings[before:]}
            )
        return end

    async def _try(self, plan, progress, tries, *, careful):
        advance = await super()._try(plan, progress, tries, careful=careful)
        clean = self.erp._caller.secrets.redacted
        self._calls += [_call(one, self.plant.network.reply_to(one), clean) for one in advance.exchanges]
        return advance


def _call(exchange, reply, clean):
    """Return one exchange as it is kept: the path from the server's root, the reply whole."""
    _, _, path, query, _ = urlsplit(exchange.url)
    kept = {name: clean(value) for name, value in reply.headers.items() if name not in OF_THE_WIRE | SECRET}
    request = exchange.request
    return {
        "step": exchange.step,
        "method": exchange.method,
        "path": f"{path}?{query}".rstrip("?"),
        "request": {"cut": request} if len(request) > LONGEST_REQUEST else digits_aside(request),
        "status": exchange.status,
        "headers": kept,
        "reply": body(clean(reply.text)),
    }
