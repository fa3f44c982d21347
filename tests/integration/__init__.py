"""Doors and flows on a real SQLite file and a real Azurite."""
