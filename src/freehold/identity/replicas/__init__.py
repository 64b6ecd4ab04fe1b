"""Machines that serve calls in this instance's name, and the tokens they join with."""
