"""From requests to committed events: micro-batches through the version that answers now."""
