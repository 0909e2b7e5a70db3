"""What a service manager such as systemd hands to us and hears from us."""
