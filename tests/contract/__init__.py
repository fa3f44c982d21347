"""Tests of one kind, so that two files may share a name."""
