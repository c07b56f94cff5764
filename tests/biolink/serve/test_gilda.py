"""gilda's endpoints: the shapes that its clients read."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient

TERM = {"norm_text", "text", "db", "id", "entry_name", "status", "source"}
MATCH = {"query", "ref", "exact", "space_mismatch", "dash_mismatches", "cap_combos"}


def posted(client: TestClient, path: str, body: Any) -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def check(matches: list[dict[str, Any]]) -> None:
    assert matches
    for match in matches:
        assert match.keys() == {"term", "url", "score", "match"}
        assert match["term"].keys() - {"organism"} == TERM
        assert match["match"].keys() == MATCH
        assert 0 <= match["score"] <= 1
    scores = [match["score"] for match in matches]
    assert scores == sorted(scores, reverse=True)


def test_ground(client: TestClient) -> None:
    matches = posted(client, "/ground", {"text": "breast-cancer"})
    check(matches)
    best = matches[0]
    assert (best["term"]["db"], best["term"]["id"]) == ("MESH", "D001943")
    assert best["term"]["entry_name"] == "Breast Neoplasms"
    assert best["url"].endswith("D001943")
    assert best["match"]["query"] == "breast-cancer"
    assert best["match"]["exact"] is False
    assert best["match"]["dash_mismatches"] == ["query"]
    assert posted(client, "/ground", {"text": "qwertyzz"}) == []


def test_organisms_and_context(client: TestClient) -> None:
    (mouse, *_) = posted(client, "/ground", {"text": "p53", "organisms": ["10090", "4"]})
    assert (mouse["term"]["id"], mouse["term"]["organism"]) == ("22059", "10090")
    (human, *_) = posted(client, "/ground", {"text": "p53", "context": "Women with p53."})
    assert (human["term"]["db"], human["term"]["id"]) == ("EGID", "7157")
    only = posted(client, "/ground", {"text": "p53", "namespaces": ["MESH"]})
    assert {match["term"]["db"] for match in only} <= {"MESH"}


def test_ground_multi_keeps_the_order(client: TestClient) -> None:
    queries: list[dict[str, Any]] = [
        {"text": "asthma"},
        {"text": "p53", "organisms": ["10090"]},
        {"text": "qwertyzz"},
        {"text": "aspirin"},
    ]
    answers = posted(client, "/ground_multi", queries)
    first = [matches[0]["term"]["id"] if matches else None for matches in answers]
    assert first == ["D001249", "22059", None, "D001241"]


def test_annotate(client: TestClient) -> None:
    text = "Aspirin for asthma."
    annotations = posted(client, "/annotate", {"text": text})
    assert [(a["text"], a["start"], a["end"]) for a in annotations] == [
        ("Aspirin", 0, 7),
        ("asthma", 12, 18),
    ]
    for annotation in annotations:
        assert text[annotation["start"] : annotation["end"]] == annotation["text"]
        check(annotation["matches"])


def test_names(client: TestClient) -> None:
    for db, concept_id in (("MESH", "D001241"), ("mesh", "MESH:D001241")):
        names = posted(client, "/names", {"db": db, "id": concept_id})
        assert names[0] == "Aspirin"
        assert "Acetylsalicylic Acid" in names
    assert "BRCA1" in posted(client, "/names", {"db": "EGID", "id": "672"})
    assert posted(client, "/names", {"db": "MESH", "id": "D999999"}) == []
