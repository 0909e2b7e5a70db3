"""One archive of a home and its servers, made while the gateway runs, and the way back."""
