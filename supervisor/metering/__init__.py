"""What servers use: limits held four times a second, figures kept for an hour."""
