"""OpenRefine's endpoints, checked against what version 0.2 of the specification demands.

The schemas below say in short what the JSON schemas of the specification say
(https://reconciliation-api.github.io/specs/0.2/); a real client is asked in ``test_running.py``.
"""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient

TEXT = {"type": "string"}
NAMED = {"type": "object", "required": ["id", "name"], "properties": {"id": TEXT, "name": TEXT}}
LISTED = {"type": "array", "items": NAMED}
TEMPLATE = {"type": "string", "pattern": r"\{\{id\}\}"}
SERVICE = {"type": "object", "properties": {"service_url": TEXT, "service_path": TEXT}}
MANIFEST = {
    "type": "object",
    "required": ["versions", "name", "identifierSpace", "schemaSpace"],
    "properties": {
        "versions": {"type": "array", "items": TEXT, "contains": {"const": "0.2"}},
        "name": TEXT,
        "identifierSpace": {"type": "string", "pattern": "^https?://"},
        "schemaSpace": {"type": "string", "pattern": "^https?://"},
        "documentation": TEXT,
        "serviceVersion": TEXT,
        "defaultTypes": {**LISTED, "uniqueItems": True},
        "view": {"type": "object", "required": ["url"], "properties": {"url": TEMPLATE}},
        "preview": {
            "type": "object",
            "required": ["url", "width", "height"],
            "properties": {
                "url": TEMPLATE,
                "width": {"type": "integer"},
                "height": {"type": "integer"},
            },
        },
        "suggest": {
            "type": "object",
            "properties": {"entity": SERVICE, "type": SERVICE, "property": SERVICE},
        },
        "extend": {
            "type": "object",
            "properties": {"propose_properties": SERVICE, "property_settings": {"type": "array"}},
        },
    },
}
CANDIDATE = {
    "type": "object",
    "required": ["id", "name", "score"],
    "properties": {
        "id": TEXT,
        "name": TEXT,
        "description": TEXT,
        "score": {"type": "number"},
        "match": {"type": "boolean"},
        "type": LISTED,
        "features": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "value"],
                "properties": {"id": TEXT, "value": {"type": ["boolean", "number"]}},
            },
        },
    },
}
RESULTS = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["result"],
        "properties": {"result": {"type": "array", "items": CANDIDATE}},
    },
}
SUGGESTED = {
    "type": "object",
    "required": ["result"],
    "properties": {"result": {**LISTED, "items": {**NAMED, "properties": {"notable": LISTED}}}},
}
VALUE = {
    "oneOf": [
        {
            "type": "object",
            "required": ["id", "name"],
            "properties": {"id": TEXT, "name": TEXT, "description": TEXT},
            "additionalProperties": False,
        },
        {
            "type": "object",
            "required": ["str"],
            "properties": {"str": TEXT},
            "additionalProperties": False,
        },
    ]
}
EXTENDED = {
    "type": "object",
    "required": ["meta", "rows"],
    "properties": {
        "meta": LISTED,
        "rows": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": VALUE},
            },
        },
    },
}


def asked(client: TestClient, queries: Any) -> Any:
    answer = client.post("/reconcile", data={"queries": json.dumps(queries)})
    assert answer.status_code == 200, answer.text
    jsonschema.validate(answer.json(), RESULTS)
    return answer.json()


def test_manifest(client: TestClient) -> None:
    manifest = client.get("/reconcile").json()
    jsonschema.validate(manifest, MANIFEST)
    assert [kind["id"] for kind in manifest["defaultTypes"]] == [
        "CellLine",
        "Chemical",
        "Disease",
        "Gene",
        "Species",
    ]
    preview = manifest["preview"]["url"].replace("{{id}}", "mesh:D001249")
    assert "<h1>Asthma</h1>" in client.get(preview).text
    for service in (*manifest["suggest"].values(), manifest["extend"]["propose_properties"]):
        address = service["service_url"] + service["service_path"]
        assert client.get(address, params={"prefix": "a"}).status_code == 200


def test_queries(client: TestClient) -> None:
    queries = {
        "q0": {"query": "breast cancer", "type": "Disease", "limit": 3},
        "q1": {"query": "qwertyzz"},
        "q2": {"query": "p53", "type": ["Gene"], "properties": [{"pid": "note", "v": "In mice."}]},
        "q3": {"query": ""},
        "q4": {"properties": [{"pid": "note", "v": [{"id": "x", "name": "y"}]}]},
    }
    answers = asked(client, queries)
    assert list(answers) == list(queries)
    best, *others = answers["q0"]["result"]
    assert (best["id"], best["match"]) == ("mesh:D001943", True)
    assert best["type"] == [{"id": "Disease", "name": "Disease"}]
    assert 90 < best["score"] <= 100
    assert len(others) == 2
    assert not any(other["match"] for other in others)
    # NIL: the candidates are there, and none of them is a match.
    assert answers["q1"]["result"]
    assert not any(candidate["match"] for candidate in answers["q1"]["result"])
    assert answers["q2"]["result"][0]["id"] == "NCBIGene:22059"
    assert answers["q3"] == answers["q4"] == {"result": []}


def test_queries_by_get(client: TestClient) -> None:
    queries = {"a": {"query": "asthma"}}
    by_get = client.get("/reconcile", params={"queries": json.dumps(queries)}).json()
    assert by_get == asked(client, queries)


@pytest.mark.parametrize(
    ("queries", "said"),
    [
        ("{", "queries is no JSON"),
        ("[]", "expected an object"),
        ('{"q0": 5}', "the query 'q0' is 5"),
        ('{"q0": {"query": 5}}', "query is 5"),
        ('{"q0": {"query": "a", "type": "planet"}}', "the type 'planet' is unknown"),
        ('{"q0": {"query": "a", "type": 5}}', "type is 5"),
        ('{"q0": {"query": "a", "limit": 0}}', "limit is 0"),
        ('{"q0": {"query": "a", "limit": NaN}}', "limit is nan"),
        ('{"q0": {"query": "a", "properties": 5}}', "properties is 5"),
        ('{"q0": {"query": "a", "properties": [5]}}', "a property is 5"),
        ("[" * 100_000, "larger"),
        ("[" * 30_000, "queries is no JSON"),
    ],
)
def test_wrong_queries(client: TestClient, queries: str, said: str) -> None:
    answer = client.post("/reconcile", data={"queries": queries})
    assert answer.status_code in (413, 422)
    assert said in answer.json()["detail"]


def test_suggest(client: TestClient) -> None:
    answer = client.get("/reconcile/suggest/entity", params={"prefix": "asthm"}).json()
    jsonschema.validate(answer, SUGGESTED)
    assert answer["result"][0]["id"] == "mesh:D001249"
    rest = client.get("/reconcile/suggest/entity", params={"prefix": "asthm", "cursor": 1}).json()
    assert rest["result"][0] == answer["result"][1]
    assert client.get("/reconcile/suggest/entity").json() == {"result": []}
    kinds = client.get("/reconcile/suggest/type", params={"prefix": "g"}).json()
    assert kinds["result"] == [{"id": "Gene", "name": "Gene"}]
    names = client.get("/reconcile/suggest/property", params={"prefix": "syn"}).json()
    assert names["result"] == [{"id": "synonyms", "name": "synonyms"}]


def test_extend(client: TestClient) -> None:
    properties = client.get("/reconcile/properties", params={"type": "Disease"}).json()
    wanted = [{"id": item["id"]} for item in properties["properties"]]
    assert {"synonyms", "definition", "parents", "xrefs"} <= {item["id"] for item in wanted}
    query = {"ids": ["mesh:D001249", "mesh:D999999"], "properties": wanted}
    answer = client.post("/reconcile", data={"extend": json.dumps(query)}).json()
    jsonschema.validate(answer, EXTENDED)
    row = answer["rows"]["mesh:D001249"]
    assert {"id": "mesh:D001982", "name": "Bronchial Diseases"} in row["parents"]
    assert {"str": "Bronchial Asthma"} in row["synonyms"]
    assert not any(answer["rows"]["mesh:D999999"].values())
    for wrong in ({}, {"ids": ["a"], "properties": [{"id": "weight"}]}, {"ids": 5}):
        answered = client.post("/reconcile", data={"extend": json.dumps(wrong)})
        assert answered.status_code == 422


def test_preview_escapes_and_runs_nothing(client: TestClient) -> None:
    page = client.get("/reconcile/preview", params={"id": "<script>alert(1)</script>"})
    assert page.status_code == 404
    assert "<script>" not in page.text
    assert "script" not in page.headers["content-security-policy"]
