"""Requests made from the API's own document, well and badly formed: none of them is a server error."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.core.result import Ok

from imagefactory.domain.identity import services as people
from imagefactory.entry.api.site import api
from tests.conftest import World

EXAMPLES = 12
SECONDS = 60


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_no_request_made_from_the_document_is_a_server_error(world: World, mode: str) -> None:
    document = json.loads(json.dumps(api.get_openapi_schema(), default=str))
    schema = schemathesis.openapi.from_dict(document)
    client = Client(raise_request_exception=False)
    owner = world.actor("owner")
    # A fresh session each: one of the operations signs out.
    wrong: list[str] = []
    sent, accepted = 0, 0
    started = time.monotonic()

    def send(case: Any) -> None:
        nonlocal sent, accepted
        if time.monotonic() - started > SECONDS / 2:
            return
        token = people.open_session(owner, world.users["owner"]).access
        parts = case.as_transport_kwargs(base_url="http://testserver")
        headers = {"Authorization": f"Bearer {token}", "X-Tenant-ID": world.tenant_slug}
        body, kind = b"", "application/json"
        if parts.get("json") is not None:
            body = json.dumps(parts["json"]).encode()
        elif isinstance(parts.get("data"), bytes | str):
            body = parts["data"] if isinstance(parts["data"], bytes) else parts["data"].encode()
        query = {k: v for k, v in (case.query or {}).items() if v is not None}
        path = parts["url"].removeprefix("http://testserver").partition("?")[0]
        response = client.generic(case.method, path, body, content_type=kind, headers=headers, query_params=query)
        sent += 1
        accepted += response.status_code < 300
        if response.status_code >= 500:
            wrong.append(f"{case.method} {path} {query} {body[:200]!r}: {response.status_code}")

    operations = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operations.append(found.ok())
    random.Random(1).shuffle(operations)
    generation = schemathesis.GenerationMode(mode)
    for operation in operations:
        run = settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=False,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(seed(1)(given(case=operation.as_strategy(generation_mode=generation))(send)))
        run()
    assert sent > 5 * len(operations), sent
    assert accepted > 10, accepted
    assert not wrong, "\n".join(wrong[:20])
