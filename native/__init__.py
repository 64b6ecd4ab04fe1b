"""The data plane compiled to machine code: optional, never needed (docs/adr/0007-compiled-data-plane.md)."""
