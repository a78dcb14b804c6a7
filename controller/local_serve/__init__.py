"""The service without root and without a container: `make serve`.

The same app, bundle and word vectors as on a server, as processes of the current user on loopback.
What root sets up on a server is missing: nginx, systemd's sandbox and limits, the firewall.
"""


class ServeError(Exception):
    """The service cannot be started or has stopped; the message names the next step."""
