"""Words about a server's package manager: who holds its lock, which repository is broken."""
