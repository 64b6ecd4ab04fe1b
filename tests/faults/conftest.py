"""Whole instances for faults on purpose: one for each file, made of its CONFIG."""

from __future__ import annotations

from tests.e2e.conftest import fakes, instance, module_instance, module_vendors

__all__ = ["fakes", "instance", "module_instance", "module_vendors"]
