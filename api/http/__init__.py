"""HTTP in and out: the fast path, the routes, problems, the OpenAPI page. Status codes are here and nowhere else."""
