"""Benches: one command each (`python -m bench.gateway`), a table, then one JSON line of figures."""
