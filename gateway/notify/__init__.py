"""Tells the owner what happened: notices that are stored with their cause, and sent after it."""
