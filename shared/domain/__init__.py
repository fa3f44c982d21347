"""Frozen facts and pure rules. Nothing here reads a clock, a file, a socket or another room of ours."""
