"""Servers at Linode: create one from nothing, list what costs money, destroy one.

Linode's own library (`linode_api4`) talks to the API; everything is found by the server's label, so
a command that was cut off is run again and goes on where it stopped.
"""
