"""The service without root and without a container: `make serve`.

The same app, bundle and store as on a server, as processes of the current user on loopback. What
is not here is what root sets up: nginx in front, systemd's sandbox and limits, the firewall.
"""


class ServeError(Exception):
    """The service cannot be started or goes on no longer; the message names the next step."""
