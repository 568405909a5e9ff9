"""`python -m api.probe`: whether the API of this container is ready, for a health check. Status 0 or 1.

It asks the port of API_PORT on loopback, by TLS where the API speaks it; whose certificate that is does not matter.
"""

from __future__ import annotations

import os
import ssl
import sys
import urllib.error
import urllib.request

_SECONDS = 5.0


def main() -> int:
    """Imports little: it is run every few seconds."""
    # empty is not set, as for the API itself
    scheme = "https" if os.environ.get("API_TLS_CERT_FILE") else "http"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    url = f"{scheme}://127.0.0.1:{os.environ.get('API_PORT') or 8000}/health/ready"
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS, context=context):
            return 0
    except (urllib.error.URLError, OSError) as error:
        print(f"{url}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
