"""Client folders of older versions open for ever: docs/versioning.md."""

import json
import shutil

import pytest

from conftest import ROOT, Runner

OLD = ROOT / "tests/vectors/client/version-1"


@pytest.fixture
def reader(isoveil, tmp_path):
    key = shutil.copy(OLD / "my.key", tmp_path)
    (tmp_path / "my.key").chmod(0o600)  # a key in clear that others can read is refused, and git keeps no such mode
    return Runner(isoveil, key)


def test_a_client_folder_of_version_1_opens(reader):
    expected = json.loads((OLD / "expected.json").read_text())
    assert json.loads((OLD / "client/manifest.json").read_text())["isoveil_manifest"] == 1
    assert reader.run("tokens", "encrypt", OLD / "client", "-k", reader.key, "--special", text=expected["text"])["ids"] == expected["ids"]
    said = reader.run("tokens", "decrypt", OLD / "client", "-k", reader.key, "--whole", text=json.dumps(expected["ids"]))
    assert said["text"] == expected["text"]


def test_an_unknown_version_is_refused_by_name(reader, tmp_path):
    client = shutil.copytree(OLD / "client", tmp_path / "client")
    manifest = json.loads((client / "manifest.json").read_text()) | {"isoveil_manifest": 3}
    (client / "manifest.json").write_text(json.dumps(manifest))
    said = reader.fail(1, "tokens", "encrypt", client, "-k", reader.key, text="a")
    assert "expected version 1 or 2, found 3" in said and "use the version that wrote it" in said
