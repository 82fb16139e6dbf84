"""Whom a client of HTTP trusts. Reading the web's certificate authorities takes a tenth of a second: more than a search."""

import ssl


def authorities(url: str) -> ssl.SSLContext | bool:
    """For `verify` of an httpx client of this URL: those of the web, or none, which plain HTTP has no use for."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if url.startswith("http://") else True
