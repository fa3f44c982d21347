"""A shift on a real ERP, played from beginning to end: `make demo`."""
