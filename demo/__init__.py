"""What a newcomer runs first: the local stack, the data sets, the load generator, the webhook receiver and the scenario."""
