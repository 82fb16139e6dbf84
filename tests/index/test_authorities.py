"""Certificate authorities are read for https, and for nothing else."""

import ssl

from index.authorities import authorities


def test_plain_http_trusts_nobody_because_it_asks_nobody():
    trusted = authorities("http://127.0.0.1:8000")
    assert isinstance(trusted, ssl.SSLContext)
    assert (trusted.verify_mode, trusted.get_ca_certs()) == (ssl.CERT_REQUIRED, [])


def test_https_is_checked_against_the_authorities_of_the_web():
    assert authorities("https://example.org") is True
    assert authorities("HTTPS://example.org") is True
