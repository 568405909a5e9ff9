"""TLS on the API's port: a certificate and its key, followed while they are renewed, and time limits for handshakes."""
