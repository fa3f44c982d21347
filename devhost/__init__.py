"""Runs a `function_app.py` on a machine that has no Azure Functions Core Tools.

The Python side of the platform is Microsoft's own worker library; this package is the small part of the
host around it: HTTP on loopback, storage queue polling and timers. Read `host.py` first.
"""
