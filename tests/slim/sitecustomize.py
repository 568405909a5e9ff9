"""On PYTHONPATH it makes Python's environment the slim image's: what loads models cannot be imported.

Python imports a module of this name by itself, when it starts.
"""

import sys

# requirements/api.txt has these above requirements/api-slim.txt, and MLflow with them looks for all the others
for _name in ("matplotlib", "pandas", "pyarrow", "scipy", "sklearn", "skops"):
    sys.modules[_name] = None  # type: ignore[assignment]  # importing it raises ModuleNotFoundError
