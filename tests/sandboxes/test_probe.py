"""What a machine without user namespaces is told."""

import shlex

from sandboxes import probe


def test_the_shipped_profile_is_what_the_advice_installs() -> None:
    """Issue 3, point 9: for Ubuntu 24.04, whose AppArmor restricts plain users."""
    words = shlex.split(probe.ALLOW_BUBBLEWRAP)
    assert str(probe.PROFILE) in words
    assert f"/etc/apparmor.d/{probe.PROFILE.name}" in words
    text = probe.PROFILE.read_text("utf-8")
    assert f"profile {probe.PROFILE.name} /usr/bin/bwrap flags=(unconfined)" in text
    assert "  userns," in text
