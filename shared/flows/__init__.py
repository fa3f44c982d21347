"""The stories, one file each, read top to bottom: receive, deliver, pull, sweep, review, account."""
