"""Files that deploy one instance: manifests, a chart, a Compose file, a unit. Pure: the same site, the same bytes."""
