"""How replicas' journals reach the one writer, and how snapshots and grants reach replicas."""
