"""Talks to the ERP: client, authentication, paging, what a reply means. Nothing here names an ERP."""
