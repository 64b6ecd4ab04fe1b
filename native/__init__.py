"""The data plane compiled to machine code: optional, never needed (docs/adr/0013-compiled-data-plane.md)."""
