from __future__ import annotations

from pathlib import Path

import pytest

from hrbench.core.remote import is_url, joined, local_path, redact, scrubbed, split_url
from hrbench.errors import UsageError

SECRET = "wJalrXUtnFEMI"


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("s3://bucket", ("s3", "bucket")),
        ("S3://bucket/a/b/", ("s3", "bucket/a/b")),
        ("gs://bucket/a", ("gs", "bucket/a")),
        ("abfs://container@account.dfs.core.windows.net/a", ("abfs", "container@account.dfs.core.windows.net/a")),
        ("file:///data/what?/#1", ("file", "/data/what?/#1")),
        ("memory://a", ("memory", "a")),
    ],
)
def test_addresses_are_taken_apart(url: str, parts: tuple[str, str]):
    assert is_url(url)
    assert split_url(url) == parts


@pytest.mark.parametrize("text", ["data", "/data/a:b", "C:/x", "timm:hrnet_w18", "", Path("s3:/bucket"), None])
def test_paths_are_no_addresses(text: object):
    assert not is_url(text)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://host/a", "ftp:// is not read; known: s3://"),
        ("s3://", "names no bucket"),
        ("file:///", "names no folder"),
        (f"s3://AKIA1:{SECRET}@bucket/a", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        (f"s3://AKIA1:wJ/al+{SECRET}@bucket/a", "holds no keys"),
        (f"s3://{SECRET}@bucket/a", "holds no keys"),
        (f"az://container/a?sig={SECRET}", "AZURE_STORAGE_SAS_TOKEN"),
        (f"gs://bucket/a#{SECRET}", "GOOGLE_APPLICATION_CREDENTIALS"),
    ],
)
def test_a_refused_address_shows_no_secret(url: str, words: str):
    with pytest.raises(UsageError) as caught:
        split_url(url)
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{SECRET}@host/a",
        f"https://host/a?token={SECRET}",
        f"s3://a:b/{SECRET}@bucket/x?y={SECRET}",
        f"abfs://user:{SECRET}@account/a",
    ],
)
def test_redacted_addresses_have_no_secret_and_stay_so(url: str):
    shown = redact(url)
    assert SECRET not in shown
    assert redact(shown) == shown


def test_texts_of_other_code_lose_addresses_with_keys_and_values_of_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"AccountKey={SECRET}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"{SECRET}/more")
    text = scrubbed(f"at https://h/a?sig=1 with {SECRET}/more and AccountKey={SECRET}, s3://bucket/a is absent")
    assert text == "at https://h/a?*** with *** and ***, s3://bucket/a is absent"


def test_short_values_stay_as_they_are_words_too():
    assert scrubbed("a key is a key", {"SOME_KEY": "key"}) == "a key is a key"


def test_joined_and_local():
    assert joined("s3://b", "", "a/", "/c") == "s3://b/a/c"
    assert local_path("file:///a/b/") == Path("/a/b")
    assert local_path("gs://b") is None
