"""`freehold up`: makes an instance or a replica ready and supervises its processes."""
