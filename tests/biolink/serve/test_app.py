"""The endpoints: what they answer, what they refuse, and what they never say."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from fastapi.testclient import TestClient

import biolink
from biolink.answers.linking import link_terms
from biolink.documents import Document
from biolink.formats.jsonl import document_to_dict
from biolink.kb import Concept, KnowledgeBase
from biolink.serve.app import make_app
from biolink.serve.engine import Engine
from biolink.serve.limits import Busy, Limits, TooSlow
from biolink.serve.middleware import JsonLines, log

TEXT = "Women with BRCA1 mutations and breast cancer took aspirin."


def posted(client: TestClient, path: str, body: Any, status: int = 200) -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_link_answers_what_the_linker_does(client: TestClient, linker: Any) -> None:
    (got,) = posted(client, "/link", {"text": TEXT})["documents"]
    assert got == json.loads(json.dumps(document_to_dict(linker(TEXT))))
    texts = ["Aspirin for asthma.", TEXT, "No complaints.", ""]
    documents = [{"id": str(number), "text": text} for number, text in enumerate(texts)]
    answered = posted(client, "/link", {"documents": documents})["documents"]
    for text, document in zip(texts, answered, strict=True):
        assert document["mentions"] == json.loads(
            json.dumps(document_to_dict(linker(text))["mentions"])
        )


def test_link_a_part_of_it(client: TestClient) -> None:
    asked = {"text": TEXT, "types": ["disease", "gene"], "top_k": 1, "nil": "none"}
    (document,) = posted(client, "/link", asked)["documents"]
    assert [m["text"] for m in document["mentions"]] == ["BRCA1", "breast cancer"]
    assert all(len(m["links"]) == 1 for m in document["mentions"])
    (strict,) = posted(client, "/link", {"text": TEXT, "nil": 1.0})["documents"]
    assert all("links" not in m and m["nil_reason"] for m in strict["mentions"])
    given = {"text": TEXT, "mentions": [{"start": 50, "end": 57, "type": "Chemical"}]}
    (document,) = posted(client, "/link", {"documents": [given]})["documents"]
    assert [m["text"] for m in document["mentions"]] == ["aspirin"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", TEXT),
        ("application/x-pubtator", f"7|t|{TEXT}\n7|a|\n\n"),
        (
            "application/bioc+json",
            json.dumps({"documents": [{"id": "7", "passages": [{"offset": 0, "text": TEXT}]}]}),
        ),
        (
            "application/bioc+xml",
            "<collection><source/><date/><key/><document><id>7</id><passage><offset>0</offset>"
            f"<text>{TEXT}</text></passage></document></collection>",
        ),
        ("application/x-ndjson", json.dumps({"id": "7", "text": TEXT})),
    ],
)
def test_other_content_types(client: TestClient, kind: str, body: str) -> None:
    url = "/link?types=chemical"
    answer = client.post(url, content=body, headers={"content-type": kind})
    assert answer.status_code == 200, answer.text
    expected = "application/json" if kind == "text/plain" else kind
    assert answer.headers["content-type"].startswith(expected)
    assert "aspirin" in answer.text
    assert "D001241" in answer.text
    assert "D001943" not in answer.text
    headers = {"content-type": kind, "accept": "application/x-pubtator"}
    answer = client.post(url, content=body, headers=headers)
    assert "\t50\t57\taspirin\tChemical\tD001241" in answer.text


def test_terms(client: TestClient, linker: Any) -> None:
    terms = ["asthma", "p53", "", "qwertyzz", "asthma"]
    got = posted(client, "/link/terms", {"terms": terms})["terms"]
    for answer, link in zip(got, link_terms(terms, linker), strict=True):
        assert (answer["curie"], answer["nil_reason"]) == (link.curie, link.nil_reason)
        assert answer["probability"] == link.probability
    mouse = {"terms": ["p53"], "types": "gene", "taxa": ["10090"]}
    assert posted(client, "/link/terms", mouse)["terms"][0]["curie"] == "NCBIGene:22059"
    said = {"terms": ["p53"], "contexts": ["Trp53 was knocked out in mice."], "types": "gene"}
    assert posted(client, "/link/terms", said)["terms"][0]["curie"] == "NCBIGene:22059"
    wrong = posted(client, "/link/terms", {"terms": ["p53"], "contexts": []}, 422)
    assert wrong["detail"] == "there are 0 contexts and 1 terms; expected one for each"


def test_search_and_concepts(client: TestClient) -> None:
    hits = client.get("/search", params={"q": "kennedy disease", "limit": 0}).json()["hits"]
    assert [hit["curie"] for hit in hits] == ["mesh:D055534", "NCBIGene:367"]
    entry = client.get("/concepts/mesh:D001249").json()
    assert entry["name"] == "Asthma"
    assert entry["parents"][0]["curie"].startswith("mesh:")
    missing = client.get("/concepts/mesh:D999999")
    assert missing.status_code == 404
    assert "mesh:D999999" in missing.json()["detail"]


def test_the_state_of_the_service(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").status_code == 200
    info = client.get("/info").json()
    assert len(info["bases"]) == 4
    assert info["limits"]["terms"] == 50
    client.get("/nothing/of/the/kind")
    figures = client.get("/metrics").text
    assert 'biolink_requests_total{method="GET",path="/health",status="200"}' in figures
    assert 'path="other",status="404"' in figures
    assert "nothing" not in figures


def test_pages_fetch_nothing_from_elsewhere(client: TestClient) -> None:
    for path in ("/", "/docs"):
        page = client.get(path)
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "http" not in page.text.replace("http-equiv", "")
    for file in ("docs.js", "api/swagger-ui.css", "api/swagger-ui-bundle.js"):
        assert client.get(f"/static/{file}").status_code == 200
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/link", "/link/terms", "/search", "/ground", "/reconcile"} <= set(paths)


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/link", "{", 422, "Invalid JSON"),
        ("/link", "[]", 422, "object"),
        ("/link", '{"text": 5}', 422, "text: Input should be a valid string"),
        ("/link", "{}", 422, 'needs either "text" or "documents"'),
        ("/link", '{"text": "x", "documents": []}', 422, "either"),
        ("/link", '{"text": "x", "tops": 1}', 422, "tops"),
        ("/link", '{"text": "x", "types": "planet"}', 422, "planet"),
        ("/link", '{"text": "x", "branch": "D0"}', 422, "D0"),
        ("/link", '{"text": "x", "nil": "sometimes"}', 422, "sometimes"),
        ("/link", '{"text": "x", "nil": 7}', 422, "threshold"),
        ("/link", '{"text": "x", "taxa": "mouse"}', 422, "mouse"),
        ("/link", '{"text": "x", "top_k": 0}', 422, "top_k"),
        ("/link", '{"documents": [5]}', 422, "documents.0: Input should be"),
        ("/link", '{"documents": [{"text": "x", "mentions": [{"start": 0}]}]}', 422, "end"),
        ("/link", '{"documents": [{"text": "x", "mentions": [{"start": 0, "end": 9}]}]}', 422, "9"),
        ("/link", json.dumps({"text": "x" * 20_001}), 413, "20,001 characters"),
        ("/link", json.dumps({"documents": [{"text": "x"}] * 41}), 413, "41 documents"),
        ("/link", "x" * 100_001, 413, "larger than 100,000 bytes"),
        ("/link", '{"text": ' + "[" * 50_000, 422, ""),
        ("/link", '{"text": "\\ud800"}', 422, ""),
        ("/link/terms", '{"terms": "asthma"}', 422, "terms"),
        ("/link/terms", json.dumps({"terms": ["a"] * 51}), 413, "51 terms"),
        ("/link/terms", '{"terms": ["\\ud800"]}', 422, ""),
        ("/link/terms", '{"terms": ["a"], "types": ["\\ud800"]}', 422, ""),
        ("/ground", '{"text": null}', 422, "text"),
        ("/names", '{"db": "", "id": ""}', 422, "empty"),
    ],
)
def test_wrong_requests(client: TestClient, path: str, body: str, status: int, said: str) -> None:
    answer = client.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]


def test_other_wrong_requests(client: TestClient) -> None:
    unknown = client.post("/link", content="x", headers={"content-type": "image/png"})
    assert unknown.status_code == 422
    assert "application/x-pubtator" in unknown.json()["detail"]
    broken = "application/x-pubtator"
    answer = client.post("/link", content="1|t|A\n1|a|B\n1\tx", headers={"content-type": broken})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("the body:3: ")
    latin = client.post("/link", content=b"caf\xe9", headers={"content-type": "text/plain"})
    assert (latin.status_code, "not UTF-8" in latin.text) == (422, True)
    twice = client.post("/link?types=gene", json={"text": "x"})
    assert (twice.status_code, "in its body" in twice.text) == (422, True)
    assert client.get("/link").status_code == 405
    assert client.get("/search").status_code == 422
    assert client.get("/search", params={"q": "a", "types": "planet"}).status_code == 422


def test_values_that_json_lacks(client: TestClient) -> None:
    body = '{"documents": [{"text": "Gout.\\u2028", "metadata": {"a": NaN}}]}'
    answer = client.post("/link", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    (document,) = answer.json()["documents"]
    assert document["metadata"] == {"a": None}
    body = '{"documents": [{"text": "Gout.", "id": "\\ud800"}]}'
    answer = client.post("/link", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422


def test_a_token(linker: Any) -> None:
    with TestClient(make_app(Engine(linker), token="s" * 16)) as client:
        assert client.get("/health").status_code == 200
        for headers in ({}, {"authorization": "Bearer " + "s" * 15}, {"authorization": "s" * 16}):
            answer = client.get("/info", headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        assert client.get("/metrics").status_code == 401
        right = {"authorization": "Bearer " + "s" * 16}
        assert client.get("/info", headers=right).status_code == 200


def test_other_origins(linker: Any, client: TestClient) -> None:
    there = {"origin": "https://example.org"}
    allowed = "access-control-allow-origin"
    assert client.get("/reconcile", headers=there).headers[allowed] == "*"
    assert client.get("/reconcile/properties", headers=there).headers[allowed] == "*"
    assert allowed not in client.get("/info", headers=there).headers
    asks = {**there, "access-control-request-method": "POST"}
    assert client.options("/link", headers=asks).status_code == 405
    with TestClient(make_app(Engine(linker), origins=["https://example.org"])) as opened:
        assert opened.get("/info", headers=there).headers[allowed] == "https://example.org"
        assert allowed not in opened.get("/info", headers={"origin": "https://evil.org"}).headers
        assert opened.options("/link", headers=asks).status_code == 200


def test_a_full_queue_and_a_slow_model(linker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(linker)
    with TestClient(make_app(engine)) as client:
        for error, status, seconds in ((Busy(7), 429, "7"), (TooSlow("slow"), 503, "10")):

            async def refuse(*_: Any, error: Exception = error) -> None:
                raise error

            monkeypatch.setattr(engine, "link", refuse)
            answer = client.post("/link", json={"text": "x"})
            assert (answer.status_code, answer.headers["retry-after"]) == (status, seconds)

        async def break_down(*_: Any) -> None:
            raise RuntimeError("patient Smith")

        monkeypatch.setattr(engine, "link", break_down)
        answer = client.post("/link", json={"text": "x"})
        assert (answer.status_code, "Smith" in answer.text) == (500, False)


def test_a_time_limit(linker: Any) -> None:
    engine = Engine(linker, Limits(seconds=0.0001))
    with pytest.raises(TooSlow, match=r"longer than 0\.0001 s"):
        asyncio.run(engine.link([Document("", TEXT)]))
    engine.close()


def test_many_clients_at_once_get_their_own_answers(linker: Any) -> None:
    engine = Engine(linker)
    texts = ["Aspirin for asthma.", TEXT, "Gout in men.", "p53 in mice.", "HeLa cells."] * 4
    expected = {text: linker(text).mentions for text in set(texts)}

    async def ask() -> list[list[Document]]:
        return await asyncio.gather(*(engine.link([Document("", text)]) for text in texts))

    for text, (document,) in zip(texts, asyncio.run(ask()), strict=True):
        assert document.mentions == expected[text]
    engine.close()


def test_the_log_has_no_texts(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "biolink.serve"):
        client.post("/link?types=gene", content="Mr Smith", headers={"content-type": "text/plain"})
        client.get("/search", params={"q": "Mr Smith", "limit": 0})
        try:
            raise ValueError("Mr Smith")
        except ValueError:
            log.exception("error", extra={"event": {"event": "error"}})
    lines = [JsonLines().format(record) for record in caplog.records]
    assert [json.loads(line)["event"] for line in lines] == ["request", "request", "error"]
    assert json.loads(lines[0])["status"] == 200
    assert json.loads(lines[2])["where"].startswith("test_app.py:")
    assert "Smith" not in "".join(lines)


def test_a_knowledge_base_of_ones_own() -> None:
    concepts = [
        Concept("HP:0001945", "Fever", synonyms=("Pyrexia",), types=("Phenotype",)),
        Concept("HP:0012735", "Cough", types=("Phenotype",)),
    ]
    linker = biolink.load(kb=KnowledgeBase.from_concepts(concepts))
    with TestClient(make_app(Engine(linker), host="testserver")) as client:
        got = posted(client, "/link/terms", {"terms": ["pyrexia"], "types": "Phenotype"})
        assert got["terms"][0]["curie"] == "HP:0001945"
        (document,) = posted(client, "/link", {"text": "Cough and fever."})["documents"]
        assert [m["links"][0]["curie"] for m in document["mentions"]] == [
            "HP:0012735",
            "HP:0001945",
        ]
        query = {"queries": json.dumps({"q": {"query": "fever", "type": "Phenotype"}})}
        (best, *_) = client.post("/reconcile", data=query).json()["q"]["result"]
        assert (best["id"], best["match"]) == ("HP:0001945", True)
        (match, *_) = posted(client, "/ground", {"text": "fever", "organisms": ["9606"]})
        assert (match["term"]["db"], match["term"]["id"]) == ("HP", "HP:0001945")
        assert posted(client, "/names", {"db": "HP", "id": "HP:0001945"}) == ["Fever", "Pyrexia"]
        assert client.get("/info").json()["bases"][0]["concepts"] == 2
        wrong = posted(client, "/link/terms", {"terms": ["fever"], "taxa": "9606"}, 422)
        assert "embedded default alone" in wrong["detail"]
