"""What makes two locks, or two servers, the same."""

import json
from pathlib import Path

import pytest

from gateway.catalog.asking import differences
from gateway.catalog.packages import changed_packages
from gateway.catalog.pins import Kind, Pin
from sandboxes.packages.build import Site
from sandboxes.packages.locking import read_lock
from sandboxes.packages.recipe import NodeRecipe, PythonRecipe

PIN = Pin(Kind.PYPI, "toy", "1.0", "sha256:0")
THERE = {"command": ["toy-serve", "--zone", "UTC"], "network": "none", "enabled": False}


def locked(*digests: str) -> PythonRecipe:
    """Return a lock of one package with these digests."""
    return PythonRecipe((" ".join(("toy==1.0", *(f"--hash=sha256:{each}" for each in digests))),))


def test_a_file_that_was_built_anew_is_a_change_and_one_more_is_none() -> None:
    """Ours: what a build refuses can be pinned anew; a wheel for another machine is no news."""
    assert changed_packages(locked("aa"), locked("bb")) == ("digests of toy 1.0 changed",)
    assert changed_packages(locked("aa"), locked("aa", "bb")) == ()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, ()),
        ({"command": ["toy", "--zone", "UTC"]}, ()),
        ({"command": ["toy"]}, ("arguments",)),
        ({"credentials": [{"key": "KEY", "required": True}]}, ("secrets",)),
        ({"network": {"hosts": ["a.example"]}}, ("network",)),
        ({"allow_source_builds": True}, ("source builds",)),
    ],
)
def test_a_server_that_was_asked_for_otherwise_is_another(
    asked: dict[str, object], words: tuple[str, ...]
) -> None:
    """Ours: nobody enables what he did not ask for."""
    assert differences(json.dumps({**THERE, **asked}), json.dumps(THERE), PIN) == words


def test_a_package_of_npm_without_a_digest_is_refused(tmp_path: Path) -> None:
    """Issue 9, What 3: npm takes one as it comes; what is bundled has its bundle's digest."""
    package = json.dumps({"private": True, "dependencies": {"toy": "1.0.0"}})
    packages = {
        "": {},
        "node_modules/toy": {"version": "1.0.0", "integrity": "sha512-a"},
        "node_modules/toy/node_modules/inner": {"version": "2.0.0", "inBundle": True},
    }
    site = Site(tmp_path, tmp_path / "cache")
    site.files.mkdir(parents=True, exist_ok=True)
    lock = site.files / "package-lock.json"
    lock.write_text(json.dumps({"packages": packages}), "utf-8")
    assert isinstance(read_lock(NodeRecipe(("toy",), package), site), NodeRecipe)
    del packages["node_modules/toy"]["integrity"]
    lock.write_text(json.dumps({"packages": packages}), "utf-8")
    with pytest.raises(ValueError, match="toy has no digest"):
        read_lock(NodeRecipe(("toy",), package), site)
