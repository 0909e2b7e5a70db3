"""Names and values that may reach a child's environment."""

from pathlib import Path

import pytest

from sandboxes import launch
from sandboxes.environment import check_name, child_environment
from sandboxes.errors import RefusedName
from sandboxes.policy import Level, Policy


@pytest.mark.parametrize(
    "key",
    [
        "LD_PRELOAD", "LD_AUDIT", "PYTHONPATH", "PYTHONSTARTUP", "PATH", "HOME", "TMPDIR",
        "DATA_DIR",
        "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "BASH_ENV", "NODE_OPTIONS", "GCONV_PATH",
        "OPENSSL_CONF", "GLIBC_TUNABLES", "HOSTALIASES", "PERL5LIB", "USER",
        "lower", "1ST", "", "A" * 65, "A-B", "A=B", "A\n", "Ä", "A\0",
    ],
)  # fmt: skip
def test_dangerous_names_are_refused(key: str) -> None:
    """Ours: such a variable would act before the sandbox stands, or is no name at all."""
    with pytest.raises(RefusedName) as refused:
        check_name(key)
    assert refused.value.key == key
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize("key", ["API_KEY", "A", "A" * 64, "ANTHROPIC_API_KEY", "GIT_CONFIG_COUNT"])
def test_ordinary_names_are_accepted(key: str) -> None:
    """Ours: what a server may declare."""
    check_name(key)


@pytest.mark.parametrize("source", ["declared", "plain"])
def test_both_sources_are_checked(source: str) -> None:
    """Ours: metadata is written by models too."""
    given = {"declared": {}, "plain": {}, source: {"LD_PRELOAD": "/data/evil.so"}}
    with pytest.raises(RefusedName):
        child_environment(data_dir=Path("/d"), private=Path("/p"), **given)


@pytest.mark.parametrize("value", ["a\0b", "x" * 65_537])
def test_values_that_cannot_be_carried_are_refused_without_being_shown(value: str) -> None:
    """Ours: a credential never stands in a message."""
    with pytest.raises(RefusedName) as refused:
        child_environment(data_dir=Path("/d"), private=Path("/p"), declared={"API_KEY": value})
    assert value not in str(refused.value)


def test_credential_wins_over_plain_variable() -> None:
    """Ours: a secret that the owner set is not replaced by the metadata."""
    made = child_environment(
        data_dir=Path("/d"), private=Path("/p"), declared={"A": "set"}, plain={"A": "x", "B": "y"}
    )
    assert (made["A"], made["B"]) == ("set", "y")


def test_launch_refuses_loader_variables_from_anybody(tmp_path: Path) -> None:
    """Ours: the second check, for a caller that built the environment itself."""
    policy = Policy(Level.OFF, tmp_path)
    with pytest.raises(RefusedName):
        launch.prepare(("/bin/true",), env={"LD_PRELOAD": "x"}, cwd=tmp_path, policy=policy)
