"""What the owner grants fixed servers, by the command line."""
