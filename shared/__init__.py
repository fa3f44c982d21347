"""The integration itself. Read `flows` first: each file there is one story, top to bottom."""
