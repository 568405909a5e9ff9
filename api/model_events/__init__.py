"""The API and the topic `model-events`: what it hears there, and what it says."""
