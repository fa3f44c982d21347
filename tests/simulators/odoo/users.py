"""Who may call: one integration user with a password and an API key, in one database."""

import secrets

from tests.simulators.odoo.errors import OdooError


class Users:
    """The log-in of the integration user. In JSON-RPC a key stands for the password; in a session it does not."""

    def __init__(self, database, login):
        self.database = database
        self.login = login
        self.password = "shop-floor-17"
        self.key = "b7f3c1d2e4a5968778695a4b3c2d1e0f"

    def database_exists(self, name):
        """Refuse another database."""
        if name != self.database:
            message = f'connection to server failed: FATAL:  database "{name}" does not exist'
            raise OdooError(message, "psycopg2.OperationalError")

    def may_log_in(self, login, secret):
        """Tell whether common.authenticate says yes."""
        return login == self.login and self.may_call(secret)

    def may_call(self, secret):
        """Tell whether the password or key of an execute_kw holds."""
        return secret in (self.password, self.key)

    def has_password(self, login, password):
        """Tell whether a web log-in holds."""
        return (login, password) == (self.login, self.password)

    def has_key(self, key):
        """Tell whether a bearer key holds."""
        return key == self.key

    def revoke(self):
        """Make password and key something nobody knows."""
        self.password, self.key = secrets.token_hex(16), secrets.token_hex(20)
