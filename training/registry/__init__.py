"""The registry: versions with their files, tags and aliases. Only its store knows MLflow."""
