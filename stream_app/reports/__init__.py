"""`python -m stream_app reports`: what the newest windows say. picture.py: PURE, keeps and words them; command.py."""
