"""What the page asks the service for, and the files of the page."""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile
from collections.abc import Iterator
from math import nan
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from biolink.corrections.files import Journal, read_corrections
from biolink.documents import Document, Link, Mention
from biolink.errors import ConfigError
from biolink.formats import describe, read
from biolink.serve.app import STATIC, make_app
from biolink.serve.engine import Engine
from biolink.serve.reviewing import Review

TEXT = "The patient had zorblax disease 💊 and took aspirin."


def linked(client: TestClient, body: str | bytes, name: str = "", status: int = 200) -> Any:
    answer = client.post("/page/link", params={"name": name}, content=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_mention_has_its_candidates_and_the_reason_of_nil(
    client: TestClient, linker: Any
) -> None:
    answer = linked(client, TEXT)
    (document,) = answer["documents"]
    assert (document["text"], answer["format"]) == (TEXT, "text")
    expected = linker(TEXT).mentions
    assert [m["text"] for m in document["mentions"]] == [m.text for m in expected]
    assert any(m.nil_reason for m in expected)
    for shown, mention in zip(document["mentions"], expected, strict=True):
        assert shown.get("nil_reason") == mention.nil_reason
        assert shown["links"], "a mention that is NIL keeps its candidates"
        if mention.best is not None:
            assert shown["links"][0]["concept_id"] == mention.best.concept_id
    aspirin = next(m for m in document["mentions"] if m["text"] == "aspirin")["links"][0]["curie"]
    above = [answer["names"][curie] for curie in answer["above"][aspirin]]
    assert "Salicylates" in above
    assert answer["urls"][aspirin].startswith("https://")


@pytest.mark.parametrize("file", ["bc5cdr.PubTator", "pubmed.nbib", "pubmed.xml", "pubtator3.json"])
def test_files_of_all_formats(client: TestClient, file: str) -> None:
    path = Path(__file__).parents[2] / "data" / file
    content = path.read_bytes()
    if file == "bc5cdr.PubTator":
        content = b"\n\n".join(content.split(b"\n\n")[:2]) + b"\n\n"
    answer = client.post("/page/link", params={"name": file}, content=content)
    if answer.status_code == 413:
        pytest.skip("the file is larger than the limits of this test's service")
    documents = answer.json()["documents"]
    given = list(read(path))[: len(documents)]
    assert [d["text"] for d in documents] == [d.text for d in given]
    # The same content without a name is recognised, too.
    assert linked(client, content)["format"] == answer.json()["format"]


def test_what_cannot_be_read_is_said(client: TestClient) -> None:
    told = linked(client, b"\x89PNG\x00\x00\x00", "../../x.png", 422)["detail"]
    assert told.startswith("../../x.png: an unknown format")
    told = linked(client, '{"id": "1", "text": "Fever."}\n{broken\n', "a.jsonl")
    assert len(told["documents"]) == 1
    assert told["problems"][0].startswith("a.jsonl:2: JSON that is broken")
    bomb = gzip.compress(b"a" * 200_000)
    assert "decompressed" in linked(client, bomb, "a.txt.gz", 413)["detail"]
    many = '{"text": "Fever."}\n' * 60
    assert "documents" in linked(client, many, "a.jsonl", 413)["detail"]
    assert linked(client, "<b>Fever</b> & more")["documents"][0]["text"] == "<b>Fever</b> & more"


def test_export_in_every_format(client: TestClient) -> None:
    documents = linked(client, TEXT)["documents"]
    written = [info for info in describe() if info.writes]
    assert len(written) > 5
    for info in written:
        answer = client.post(f"/page/export?format={info.name}", json={"documents": documents})
        assert answer.status_code == 200, (info.name, answer.text)
        name = answer.headers["content-disposition"].removeprefix('attachment; filename="')[:-1]
        assert name.startswith("linked.")
        assert answer.headers["content-type"] == "application/octet-stream"
        content = answer.content
        if name.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = b"".join(map(archive.read, archive.namelist()))
        assert b"spirin" in content
    answer = client.post("/page/export?format=medline", json={"documents": documents})
    assert answer.status_code == 422


def test_acts_and_corrections_without_a_file(client: TestClient, tmp_path: Path) -> None:
    (document,) = linked(client, TEXT)["documents"]
    number = next(n for n, m in enumerate(document["mentions"]) if m["text"] == "aspirin")
    aspirin = document["mentions"][number]
    spot = {key: aspirin[key] for key in ("start", "end", "text", "type")}
    asked = {"document": document, "acts": [], "act": {"act": "nil", "mention": number, **spot}}
    view = client.post("/page/act", json=asked).json()
    assert view["mentions"][number]["decision"] == "nil"
    assert "links" not in view["document"]["mentions"][number]
    assert view["acts"][0]["at"].endswith("+00:00")
    file = tmp_path / "c.jsonl"
    decisions = {"documents": [document], "acts": [view["acts"]]}
    file.write_bytes(client.post("/page/corrections", json=decisions).content)
    assert [act.act for act in read_corrections(file).acts] == ["nil"]
    wrong = {**asked, "act": {"act": "nil", "mention": 99, **spot}}
    answer = client.post("/page/act", json=wrong)
    assert answer.status_code == 422
    assert "no such mention" in answer.json()["detail"]


def test_candidates_of_a_new_mention(client: TestClient) -> None:
    spot = {"text": TEXT, "start": 43, "end": 50, "type": "Chemical"}
    (mention,) = client.post("/page/candidates", json=spot).json()["documents"][0]["mentions"]
    assert (mention["text"], mention["links"][0]["curie"]) == ("aspirin", "mesh:D001241")
    answer = client.post("/page/candidates", json={**spot, "end": 999})
    assert answer.status_code == 422


@pytest.fixture
def reviewed(linker: Any, tmp_path: Path) -> Iterator[tuple[TestClient, Path]]:
    # Links of other tools may have no probability.
    unknown = Mention(0, 4, "Gout", "Disease", links=(Link("D006073", "Gout", nan, nan, 1),))
    documents = [linker(Document("a", TEXT)), Document("b", "Gout.", mentions=(unknown,))]
    file = tmp_path / "c.jsonl"
    with Journal(file) as journal:
        app = make_app(Engine(linker), review=Review(documents, journal, "linked.jsonl"))
        with TestClient(app, base_url="http://127.0.0.1") as client:
            yield client, file


def test_a_review_saves_each_act(reviewed: tuple[TestClient, Path]) -> None:
    client, file = reviewed
    summary = client.get("/page/review").json()
    assert [d["id"] for d in summary["documents"]] == ["a", "b"]
    shown = client.get("/page/review/1").json()["document"]["mentions"]
    assert shown[0]["links"][0]["probability"] is None
    act = {"act": "nil", "mention": 0, "start": 0, "end": 4, "text": "Gout", "type": "Disease"}
    view = client.post("/page/review/1", json=act).json()
    assert (view["progress"]["decided"], view["progress"]["finished"]) == (1, 1)
    assert [act.document for act in read_corrections(file).acts] == ["b"]
    before = file.read_bytes()
    for wrong in ({**act, "end": 3}, {**act, "act": "no"}, {"act": "nil"}):
        assert client.post("/page/review/1", json=wrong).status_code == 422
    assert client.post("/page/review/0", json={"act": "undo"}).status_code == 422
    assert client.post("/page/review/7", json=act).status_code == 404
    assert file.read_bytes() == before
    exported = client.get("/page/review/export?format=jsonl").text.splitlines()
    assert json.loads(exported[1])["mentions"][0]["nil_reason"] == "decided by a person"


def test_pages_elsewhere_cannot_decide(reviewed: tuple[TestClient, Path]) -> None:
    client, file = reviewed
    body = '{"act": "nil", "mention": 0, "start": 0, "end": 4, "text": "Gout"}'
    plain = client.post("/page/review/1", content=body, headers={"content-type": "text/plain"})
    assert plain.status_code == 422
    elsewhere = client.get("/page/review", headers={"host": "example.org"})
    assert elsewhere.status_code == 400
    assert read_corrections(file).acts == ()


def test_documents_that_cannot_be_told_apart_or_differ(tmp_path: Path) -> None:
    fever, cough = Document("1", "Fever."), Document("1", "Cough.")
    with (
        Journal(tmp_path / "c.jsonl") as journal,
        pytest.raises(ConfigError, match="two documents"),
    ):
        Review([fever, cough], journal, "linked.jsonl")
    client_file = tmp_path / "d.jsonl"
    client_file.write_text(
        '{"biolink": "corrections", "version": 1}\n{"document": {"id": "1", "text": "Fever."}}\n'
    )
    with Journal(client_file) as journal:
        assert len(Review([fever], journal, "linked.jsonl")) == 1
        with pytest.raises(ConfigError, match="differs from that in"):
            Review([cough], journal, "linked.jsonl")
        assert Review([Document("2", "Cough.")], journal, "linked.jsonl").others == 1


def test_the_files_of_the_page_load_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page.text)
    files = [file for file in STATIC.iterdir() if file.suffix in (".js", ".css", ".html")]
    assert len(files) > 8
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"""(src|href|url\(|from|import)\s*[=(]?\s*["'(]?https?://""", text)
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
        assert client.get("/" if file.name == "index.html" else f"/static/{file.name}").is_success
