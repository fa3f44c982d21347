"""Stateful simulators of ERPs: each written from its vendor's public specs, each refuses what the real one refuses."""
