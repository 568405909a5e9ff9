"""Reports on a version: the gates are asked, the model card is written, versions are put side by side."""
