"""Talks to the ERP: client, authentication, paging and what a reply means. Nothing here knows one ERP by name."""
