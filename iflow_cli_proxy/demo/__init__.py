"""Simulated upstreams on loopback, sign-in included, for `serve --demo`, for `demo` and for tests.

Imported only by those who start one.
"""
