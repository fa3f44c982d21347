"""Errors, named after what the caller does about them.

IntegrationError
├── ConfigurationError   stop and mend the settings, the profile or the connection file; names what is valid
├── ErpUnavailable       come back later; nothing is wrong with the data
├── MappingError         set the one record or message aside and show it; the others go on
├── StoreUnavailable     SQL cannot be reached: buffer, answer 202, record later
├── QueueUnavailable     storage queues cannot be reached: the sweep will find the work in SQL
└── LeaseLost            another worker has taken over: drop the work at once, it is in good hands
"""


class IntegrationError(Exception):
    """Root of everything this project raises on purpose."""


class ConfigurationError(IntegrationError):
    """Settings, profile or connection cannot be used; the message says where and what would be valid."""


class ErpUnavailable(IntegrationError):  # noqa: N818 - named after the state the caller has to deal with
    """The ERP cannot be reached or cannot serve us now."""


class MappingError(IntegrationError):
    """A record or message cannot be translated; the message names the field and the rule."""


class StoreUnavailable(IntegrationError):  # noqa: N818
    """SQL cannot be reached now."""

    concerns_all = True  # a group commit need not try its members one by one


class QueueUnavailable(IntegrationError):  # noqa: N818
    """Storage queues cannot be reached now."""


class LeaseLost(IntegrationError):  # noqa: N818
    """The lease was taken by another worker; nothing more may be recorded under it."""
