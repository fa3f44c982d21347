"""Doors: one trigger family per file. Each decodes, calls one flow, answers. No SQL and no HTTP client in here."""
