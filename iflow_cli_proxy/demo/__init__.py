"""A simulated iFlow on loopback, for `serve --demo` and for tests. Imported only by those who start one."""
