"""Pictures: figures of a fitted model, and what is measured for them alone."""
