"""What the gateway tells monitoring: traces, metrics. Off by default."""
